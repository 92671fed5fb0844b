/**
 * Runs a model's chat template (Jinja, by `@huggingface/jinja`) as what it is: a program from a stranger. Every node
 * that it evaluates and every value that it makes is charged against a budget; it sees no clock, and no text but the
 * conversation.
 */
import { Environment, Interpreter, Template as LibraryTemplate } from '@huggingface/jinja';
import { modelError } from './errors.js';
import {
  TEMPLATE_COST_MAX,
  TEMPLATE_COST_TEXT_LENGTH,
  TEMPLATE_ELEMENT_COST,
  TEMPLATE_LENGTH_MAX,
  TEMPLATE_LIST_MAX,
  TEMPLATE_STEP_COST,
  TEMPLATE_VALUE_MAX,
} from './limits.js';
import {
  checkMultipliers,
  listIterables,
  markLiterals,
  type TemplateNode,
} from './template-check.js';

/** A template ready to run. */
export type Template = { render(variables: Readonly<Record<string, unknown>>): string };

/** A value of the library; its classes are not exported, so it is known by `type`. */
type RuntimeValue = { readonly type: string; readonly value: unknown };

/** The parts of the library's interpreter and environment that are used here; its own types do not resolve. */
type LibraryEnvironment = { set(name: string, value: unknown): void };
type LibraryInterpreter = {
  evaluate(node: TemplateNode | undefined, environment: LibraryEnvironment): RuntimeValue;
  run(program: TemplateNode): RuntimeValue;
};

/** Thrown inside a run when the template itself refuses the conversation. */
class TemplateRefusal extends Error {}

/** Thrown inside a run when the budget is spent. */
class BudgetSpent extends Error {}

/** Parses and checks `source`; `mark` is applied to each of its literals. */
export function parseTemplate(source: string, mark: (text: string) => string): Template {
  if (source.length > TEMPLATE_LENGTH_MAX) {
    throw modelError({
      code: 'chat_template_invalid',
      message: `The chat template has more than ${TEMPLATE_LENGTH_MAX} UTF-16 units.`,
      value: source.length,
    });
  }
  const program = parseProgram(source);
  const nodes = { methods: checkMultipliers(program), iterables: listIterables(program) };
  markLiterals(program, mark);
  return { render: (variables) => runTemplate({ program, nodes, variables }) };
}

function parseProgram(source: string): TemplateNode {
  try {
    return new LibraryTemplate(source).parsed as TemplateNode;
  } catch (cause) {
    throw modelError({
      code: 'chat_template_invalid',
      message: 'The chat template is not valid Jinja.',
      value: messageOf(cause),
      cause,
    });
  }
}

/** Nodes of a program that the meter treats specially. */
type SpecialNodes = {
  /** May yield a function. */
  readonly methods: ReadonlySet<unknown>;
  /** Are looped over. */
  readonly iterables: ReadonlySet<unknown>;
};

function runTemplate(options: {
  readonly program: TemplateNode;
  readonly nodes: SpecialNodes;
  readonly variables: Readonly<Record<string, unknown>>;
}): string {
  const environment = new Environment() as LibraryEnvironment;
  const globals = { ...GLOBALS, ...options.variables };
  try {
    for (const [name, value] of Object.entries(globals)) environment.set(name, value);
    const interpreter = new Interpreter(environment) as LibraryInterpreter;
    meter(interpreter, options.nodes);
    return String(interpreter.run(options.program).value);
  } catch (cause) {
    throw renderError(cause);
  }
}

/** What templates may call besides filters. There is no clock: the same conversation gives the same text for ever. */
const GLOBALS: Readonly<Record<string, unknown>> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  range: (start: number, stop?: number, step = 1): number[] => {
    const [from, to] = stop === undefined ? [0, start] : [start, stop];
    const count = Math.max(0, Math.ceil((to - from) / step));
    if (!(count <= TEMPLATE_LIST_MAX)) throw new BudgetSpent('range');
    return Array.from({ length: count }, (_, index) => from + index * step);
  },
  raise_exception: (message: unknown) => {
    throw new TemplateRefusal(String(message));
  },
};

/** Charges every evaluation: a step, then the size of its value. */
function meter(interpreter: LibraryInterpreter, nodes: SpecialNodes): void {
  const evaluate = interpreter.evaluate.bind(interpreter);
  const sizes = new WeakMap<object, number>();
  let cost = 0;
  const charge = (amount: number): void => {
    cost += amount;
    if (cost > TEMPLATE_COST_MAX) throw new BudgetSpent('cost');
  };
  interpreter.evaluate = (node, environment) => {
    charge(TEMPLATE_STEP_COST);
    const value = evaluate(node, environment);
    const isMember = node?.type === 'MemberExpression';
    if (isMember && value.type === 'FunctionValue' && !nodes.methods.has(node)) {
      throw new Error('a method may only be called by its name');
    }
    if (sizeOf(value, sizes) > TEMPLATE_VALUE_MAX) throw new BudgetSpent('value');
    charge(handlingCost(value, nodes.iterables.has(node)));
    return value;
  };
}

/** What it costs to handle a value: text by length, a list by elements, whose contents were charged when made. */
function handlingCost(value: RuntimeValue, isLoopedOver: boolean): number {
  const content = value.value;
  if (typeof content === 'string') return content.length / TEMPLATE_COST_TEXT_LENGTH;
  const count = Array.isArray(content) ? content.length : content instanceof Map ? content.size : 0;
  return count * (isLoopedOver ? TEMPLATE_STEP_COST : TEMPLATE_ELEMENT_COST);
}

/**
 * Size of a value with all that it holds, as it would be printed. Lists and objects never change, so theirs is
 * remembered; namespaces do change, so they may not be held by anything, and printing cannot run away through them.
 */
function sizeOf(value: RuntimeValue, sizes: WeakMap<object, number>): number {
  const content = value.value;
  if (typeof content === 'string') return content.length;
  if (typeof content !== 'object' || content === null) return 1;
  const isNamespace = value.type === 'NamespaceValue';
  const known = isNamespace ? undefined : sizes.get(value);
  if (known !== undefined) return known;
  if (Array.isArray(content) && content.length > TEMPLATE_LIST_MAX) throw new BudgetSpent('list');
  const held = Array.isArray(content) ? content : content instanceof Map ? content.values() : [];
  let size = 1;
  for (const item of held as Iterable<RuntimeValue>) {
    if (item.type === 'NamespaceValue') throw new Error('a namespace may not be held by a value');
    size += sizeOf(item, sizes);
  }
  if (!isNamespace) sizes.set(value, size);
  return size;
}

function renderError(cause: unknown) {
  if (cause instanceof TemplateRefusal) {
    return modelError({
      code: 'chat_refused_by_template',
      message: 'The chat template of the model refuses this conversation.',
      value: cause.message,
    });
  }
  // RangeError: the stack or the longest string of the platform, reached before our own budget.
  if (cause instanceof BudgetSpent || cause instanceof RangeError) {
    return modelError({
      code: 'chat_template_too_costly',
      message: 'The chat template takes more time or memory than it may.',
      value: cause.message,
    });
  }
  return modelError({
    code: 'chat_template_failed',
    message: 'The chat template failed on this conversation.',
    value: messageOf(cause),
    cause,
  });
}

const messageOf = (cause: unknown): string =>
  cause instanceof Error ? cause.message : String(cause);
