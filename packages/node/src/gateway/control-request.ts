/**
 * The parameters of a request that become controls of its job: penalties, biases, grammars and log probabilities, under
 * the names of OpenAI and, where it has none, of vLLM. What they mean is in arithmetic.md, section 7.1.
 */
import { choiceGrammar, jsonObjectGrammar, jsonSchemaGrammar, patternGrammar } from '@assay/model';
import {
  AssayError,
  BIAS_COUNT_MAX,
  type Controls,
  DEFAULT_CONTROLS,
  TOP_LOGPROBS_MAX,
} from '@assay/protocol';
import { ParameterError } from './openai-errors.js';
import { type Body, boolean, integer, number, record, wrong } from './request-fields.js';

export const CONTROL_PARAMETERS = [
  'frequency_penalty',
  'guided_choice',
  'guided_json',
  'guided_regex',
  'logit_bias',
  'logprobs',
  'presence_penalty',
  'repetition_penalty',
  'response_format',
  'top_logprobs',
] as const;

/** Q16 one. */
const ONE = 65_536;

/** As OpenAI. */
const PENALTY_MAX = 2;
const BIAS_MAX = 100;

/** Penalties in use are between 1 and 2; ten already forbids. */
const REPETITION_MIN = 0.01;
const REPETITION_MAX = 10;

const CHOICES_MAX = 256;
const PATTERN_LENGTH_MAX = 1_024;

/** Checks the parameters; throws {@link ParameterError} naming the first that is wrong. */
export function parseControls(body: Body): Controls {
  const penalty = (name: string): number =>
    toQ16(number(body, name, { min: -PENALTY_MAX, max: PENALTY_MAX, fallback: 0 }));
  const repetition = number(body, 'repetition_penalty', {
    min: REPETITION_MIN,
    max: REPETITION_MAX,
    fallback: 1,
  });
  const grammar = parseGrammar(body);
  const topLogprobs = parseLogprobs(body);
  return {
    ...DEFAULT_CONTROLS,
    repetition: toQ16(repetition),
    presence: penalty('presence_penalty'),
    frequency: penalty('frequency_penalty'),
    bias: parseBias(body['logit_bias'] ?? {}),
    ...(grammar === undefined ? {} : { grammar }),
    ...(topLogprobs === undefined ? {} : { topLogprobs }),
  };
}

/** Nearest multiple of 2^-16; adding 0 turns -0 into 0. */
const toQ16 = (value: number): number => Math.round(value * ONE) + 0;

function parseBias(value: unknown): Controls['bias'] {
  const entries = Object.entries(record(value, 'logit_bias'));
  if (entries.length > BIAS_COUNT_MAX)
    throw wrong('logit_bias', `at most ${BIAS_COUNT_MAX} ids`, entries.length);
  const bias = entries.map(([key, amount]): [number, number] => {
    if (!/^(0|[1-9]\d{0,9})$/.test(key) || Number(key) >= 2 ** 32)
      throw wrong('logit_bias', 'an object from token ids to numbers', key);
    if (typeof amount !== 'number' || !(Math.abs(amount) <= BIAS_MAX))
      throw wrong('logit_bias', `numbers from -${BIAS_MAX} to ${BIAS_MAX}`, amount);
    return [Number(key), toQ16(amount)];
  });
  return bias.filter(([, amount]) => amount !== 0).sort((a, b) => a[0] - b[0]);
}

/** How many of the likeliest tokens to report, or undefined if none is reported, not even the chosen one. */
function parseLogprobs(body: Body): number | undefined {
  const wanted = boolean(body, 'logprobs');
  const count = integer(body, 'top_logprobs', 0, TOP_LOGPROBS_MAX);
  if (!wanted && count !== undefined)
    throw wrong('top_logprobs', 'left out unless logprobs is true', count);
  return wanted ? (count ?? 0) : undefined;
}

/** The grammar of the answer, if one is asked for; two at once would have to hold together, which is not offered. */
function parseGrammar(body: Body): Uint8Array | undefined {
  const grammars = [
    ['response_format', responseFormat],
    ['guided_json', guidedJson],
    ['guided_regex', guidedRegex],
    ['guided_choice', guidedChoice],
  ] as const;
  let grammar: Uint8Array | undefined;
  for (const [name, parse] of grammars) {
    if (body[name] == null) continue;
    const found = named(name, () => parse(body[name]));
    if (found !== undefined && grammar !== undefined)
      throw wrong(name, 'the only parameter that restricts the text', name);
    grammar ??= found;
  }
  return grammar;
}

/** Refusals of the room `model` under the parameter's name. */
function named<T>(param: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof AssayError) || error instanceof ParameterError) throw error;
    const { code, message, value, remedy } = error;
    throw new ParameterError({
      code,
      message,
      param,
      ...(value === undefined ? {} : { value }),
      ...(remedy === undefined ? {} : { remedy }),
    });
  }
}

function responseFormat(value: unknown): Uint8Array | undefined {
  const format = record(value, 'response_format');
  switch (format['type']) {
    case 'text':
      return undefined;
    case 'json_object':
      return jsonObjectGrammar();
    case 'json_schema':
      return schemaFormat(record(format['json_schema'], 'response_format.json_schema'));
    default:
      throw wrong('response_format.type', 'text, json_object or json_schema', format['type']);
  }
}

function schemaFormat({ name, schema }: Body): Uint8Array {
  if (typeof name !== 'string' || !/^[\w-]{1,64}$/.test(name))
    throw wrong(
      'response_format.json_schema.name',
      'a name of up to 64 letters, digits, _ and -',
      name,
    );
  return jsonSchemaGrammar(schema ?? { type: 'object' });
}

/** As vLLM: the schema, or its text. */
function guidedJson(value: unknown): Uint8Array {
  if (typeof value !== 'string') return jsonSchemaGrammar(value);
  try {
    return jsonSchemaGrammar(JSON.parse(value));
  } catch (error) {
    if (error instanceof SyntaxError)
      throw wrong('guided_json', 'a JSON schema or its text', value);
    throw error;
  }
}

function guidedRegex(value: unknown): Uint8Array {
  if (typeof value !== 'string' || value === '' || value.length > PATTERN_LENGTH_MAX)
    throw wrong('guided_regex', `a pattern of 1 to ${PATTERN_LENGTH_MAX} characters`, value);
  return patternGrammar(value);
}

function guidedChoice(value: unknown): Uint8Array {
  const isList = Array.isArray(value) && value.length > 0 && value.length <= CHOICES_MAX;
  if (!isList || !value.every((text) => typeof text === 'string' && text !== ''))
    throw wrong('guided_choice', `a list of 1 to ${CHOICES_MAX} texts`, value);
  return choiceGrammar(value as string[]);
}
