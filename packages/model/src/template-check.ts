/**
 * What is done to a parsed template before it runs: control entries in its literals are marked, and constructs that can
 * multiply a text in one step are refused unless their factor is a short literal.
 */
import { modelError } from './errors.js';
import { TEMPLATE_FACTOR_MAX } from './limits.js';

/** A node of the library's syntax tree. */
export type TemplateNode = { readonly type: string; value?: unknown; [key: string]: unknown };

/** Filters and methods that repeat an argument once per match, line, element or level. */
const MULTIPLIERS: ReadonlySet<string> = new Set(['replace', 'join', 'indent', 'tojson']);

const isNode = (value: unknown): value is TemplateNode =>
  typeof value === 'object' && value !== null && typeof (value as TemplateNode).type === 'string';

/** Every node below and including `root`; a stack of its own, because a hostile tree is deep. */
function listNodes(root: TemplateNode): readonly TemplateNode[] {
  const nodes: TemplateNode[] = [];
  const pending: unknown[] = [root];
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value !== 'object' || value === null) continue;
    if (isNode(value)) nodes.push(value);
    const children = value instanceof Map ? [...value].flat() : Object.values(value);
    for (const child of children) pending.push(child);
  }
  return nodes;
}

/** Replaces every literal of the template, except member names, by `mark` of it. */
export function markLiterals(program: TemplateNode, mark: (text: string) => string): void {
  const memberNames = new Set<unknown>();
  for (const node of listNodes(program)) {
    if (node.type === 'MemberExpression') memberNames.add(node.property);
  }
  for (const node of listNodes(program)) {
    const { value } = node;
    if (node.type !== 'StringLiteral' || typeof value !== 'string' || memberNames.has(node))
      continue;
    node.value = mark(value);
  }
}

/**
 * Refuses unbounded multipliers. Returns the member expressions that may yield a function: those called by a name that
 * is written out, so that `x['repl' ~ 'ace']` cannot slip past.
 */
export function checkMultipliers(program: TemplateNode): ReadonlySet<unknown> {
  const methods = new Set<unknown>();
  for (const node of listNodes(program)) {
    if (node.type === 'FilterExpression' || node.type === 'FilterStatement') {
      checkFilter(node.filter);
    } else if (node.type === 'CallExpression' && isNode(node.callee)) {
      const name = methodName(node.callee);
      if (name === undefined) continue;
      if (MULTIPLIERS.has(name)) checkFactors(name, node.args);
      methods.add(node.callee);
    }
  }
  return methods;
}

/** The expressions that loops run over: each of their elements costs as much as a step. */
export function listIterables(program: TemplateNode): ReadonlySet<unknown> {
  const loops = listNodes(program).filter((node) => node.type === 'For');
  return new Set(
    loops.map(({ iterable }) =>
      isNode(iterable) && iterable.type === 'SelectExpression' ? iterable.lhs : iterable,
    ),
  );
}

/** The written-out name of `object.name` or `object['name']`. */
function methodName(callee: TemplateNode): string | undefined {
  const { property } = callee;
  if (callee.type !== 'MemberExpression' || !isNode(property)) return undefined;
  const isWritten = callee.computed === true ? property.type === 'StringLiteral' : true;
  return isWritten && typeof property.value === 'string' ? property.value : undefined;
}

function checkFilter(filter: unknown): void {
  if (!isNode(filter) || filter.type !== 'CallExpression' || !isNode(filter.callee)) return;
  const name = String(filter.callee.value);
  if (MULTIPLIERS.has(name)) checkFactors(name, filter.args);
}

function checkFactors(name: string, values: unknown): void {
  const factors = Array.isArray(values) ? values : [];
  for (const factor of factors) {
    if (!isShortLiteral(factor)) {
      throw modelError({
        code: 'chat_template_unsupported',
        message: `The template gives ${name} an argument that is not a short literal.`,
        value: name,
      });
    }
  }
}

function isShortLiteral(node: unknown): boolean {
  if (!isNode(node)) return false;
  const { type, value } = node;
  if (type === 'StringLiteral') return String(value).length <= TEMPLATE_FACTOR_MAX;
  if (type === 'IntegerLiteral') return Number(value) <= TEMPLATE_FACTOR_MAX;
  if (type === 'KeywordArgumentExpression') return isShortLiteral(value);
  if (type === 'TupleLiteral') return Array.isArray(value) && value.every(isShortLiteral);
  return type === 'Identifier' && /^(true|false|none)$/i.test(String(value));
}
