/**
 * JSON Schema to grammar: every text of the grammar is a valid instance, written compactly with its properties in the
 * order of the schema. A named subset is understood (docs/reference/grammar.md); any keyword that would restrict and is
 * not in it is refused, never ignored.
 */
import { printValue } from '@assay/protocol';
import { modelError } from '../errors.js';
import { SCHEMA_LENGTH_MAX } from '../limits.js';
import {
  buildGrammar,
  choice,
  type Expression,
  literal,
  NOTHING,
  named,
  repeat,
  sequence,
  star,
} from './expression.js';
import * as json from './json.js';
import { patternExpression } from './pattern.js';

type Schema = { readonly [keyword: string]: unknown };

/** Says nothing about which instances are valid. */
const ANNOTATIONS = new Set([
  '$schema',
  '$id',
  '$comment',
  '$defs',
  'definitions',
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  'format',
]);

/** Keywords that speak only of values of one type. */
const KEYWORDS: Readonly<Record<string, readonly string[]>> = {
  object: ['properties', 'required', 'additionalProperties'],
  array: ['items', 'minItems', 'maxItems'],
  string: ['minLength', 'maxLength', 'pattern'],
  number: [],
  integer: [],
  boolean: [],
  null: [],
};

/** Schemas inside schemas; deeper ones come from recursion by `$ref`, which has no limit. */
const DEPTH_MAX = 64;

type Compiler = {
  readonly root: unknown;
  readonly definitions: Map<string, Expression>;
  depth: number;
};

/** Canonical bytes of the grammar of any JSON object. */
export const jsonObjectGrammar = (): Uint8Array =>
  buildGrammar(json.ANY_OBJECT, json.JSON_DEFINITIONS);

/**
 * Canonical bytes of the grammar of a schema's instances; throws `schema_unsupported` naming what it does not know.
 *
 * @example jsonSchemaGrammar({ type: 'object', properties: { age: { type: 'integer' } }, required: ['age'] })
 */
export function jsonSchemaGrammar(schema: unknown): Uint8Array {
  const size = (JSON.stringify(schema) ?? '').length;
  if (size > SCHEMA_LENGTH_MAX) {
    const message = `A JSON schema may have ${SCHEMA_LENGTH_MAX} characters.`;
    throw modelError({ code: 'grammar_too_large', message, value: size });
  }
  const compiler = { root: schema, definitions: new Map(json.JSON_DEFINITIONS), depth: 0 };
  return buildGrammar(compile(compiler, schema, '#'), compiler.definitions);
}

function compile(compiler: Compiler, schema: unknown, path: string): Expression {
  if (schema === true) return json.ANY_VALUE;
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema))
    throw unsupported(path, schema);
  if (compiler.depth >= DEPTH_MAX) throw unsupported(path, `more than ${DEPTH_MAX} levels`);
  compiler.depth++;
  try {
    return compileObject(compiler, schema as Schema, path);
  } finally {
    compiler.depth--;
  }
}

function compileObject(compiler: Compiler, schema: Schema, path: string): Expression {
  const keywords = Object.keys(schema).filter((name) => !ANNOTATIONS.has(name));
  /** The schema says one thing only; anything beside it would have to hold as well. */
  const alone = (keyword: string, ...beside: readonly string[]): void => {
    const other = keywords.find((name) => name !== keyword && !beside.includes(name));
    if (other !== undefined) throw unsupported(`${path}/${other}`, `beside ${keyword}`);
  };
  if (keywords.includes('$ref')) {
    alone('$ref');
    return reference(compiler, schema['$ref'], path);
  }
  if (keywords.includes('anyOf')) {
    alone('anyOf');
    return choice(...compileEach(compiler, schema['anyOf'], `${path}/anyOf`));
  }
  if (keywords.includes('const')) {
    alone('const', 'type');
    return fixed(schema, [schema['const']], path);
  }
  if (keywords.includes('enum')) {
    alone('enum', 'type');
    if (!Array.isArray(schema['enum'])) throw unsupported(`${path}/enum`, schema['enum']);
    return fixed(schema, schema['enum'], path);
  }
  return compileTypes(compiler, schema, path);
}

function compileEach(compiler: Compiler, list: unknown, path: string): readonly Expression[] {
  if (!Array.isArray(list) || list.length === 0) throw unsupported(path, list);
  return list.map((item, index) => compile(compiler, item, `${path}/${index}`));
}

/** Values of `const` and `enum` that also have the schema's type. */
function fixed(schema: Schema, values: readonly unknown[], path: string): Expression {
  const types = typesOf(schema, path);
  const fitting = values.filter(
    (value) => types === undefined || types.some((type) => isOfType(value, type)),
  );
  if (fitting.length === 0) throw unsupported(path, 'no value has the type');
  return choice(...fitting.map((value) => literal(JSON.stringify(value))));
}

function isOfType(value: unknown, type: string): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

function typesOf(schema: Schema, path: string): readonly string[] | undefined {
  const { type } = schema;
  if (type === undefined) return undefined;
  const types: unknown[] = Array.isArray(type) ? type : [type];
  for (const item of types) {
    if (typeof item !== 'string' || !Object.hasOwn(KEYWORDS, item))
      throw unsupported(`${path}/type`, item);
  }
  if (types.length === 0) throw unsupported(`${path}/type`, type);
  return types as string[];
}

function compileTypes(compiler: Compiler, schema: Schema, path: string): Expression {
  const types = typesOf(schema, path);
  const known = types ?? Object.keys(KEYWORDS);
  const understood = new Set(['type', ...known.flatMap((type) => KEYWORDS[type]!)]);
  for (const keyword of Object.keys(schema)) {
    if (!ANNOTATIONS.has(keyword) && !understood.has(keyword))
      throw unsupported(`${path}/${keyword}`, schema[keyword]);
  }
  if (types !== undefined)
    return choice(...types.map((type) => compileType(compiler, schema, { type, path })));
  if (Object.keys(schema).every((keyword) => ANNOTATIONS.has(keyword))) return json.ANY_VALUE;
  // Without a type the keywords say which is meant; values of others would be valid, but nobody wants them.
  const meant = known.filter((type) => KEYWORDS[type]!.some((keyword) => keyword in schema));
  return choice(...meant.map((type) => compileType(compiler, schema, { type, path })));
}

function compileType(
  compiler: Compiler,
  schema: Schema,
  { type, path }: { readonly type: string; readonly path: string },
): Expression {
  switch (type) {
    case 'object':
      return objectExpression(compiler, schema, path);
    case 'array':
      return arrayExpression(compiler, schema, path);
    case 'string':
      return stringExpression(schema, path);
    case 'number':
      return json.NUMBER;
    case 'integer':
      return json.INTEGER;
    case 'boolean':
      return choice(literal('true'), literal('false'));
    default:
      return literal('null');
  }
}

/** Members in the order of the schema; one that is not required may be left out, others are never added. */
function objectExpression(compiler: Compiler, schema: Schema, path: string): Expression {
  const properties = schema['properties'] ?? {};
  if (typeof properties !== 'object' || properties === null || Array.isArray(properties))
    throw unsupported(`${path}/properties`, properties);
  const required = requiredNames(schema, properties, path);
  const others = schema['additionalProperties'] ?? true;
  const names = Object.keys(properties);
  if (names.length === 0) {
    if (others === false) return literal('{}');
    return json.objectOf(compile(compiler, others, `${path}/additionalProperties`));
  }
  const members = names.map((name) => ({
    isRequired: required.has(name),
    text: sequence(
      literal(JSON.stringify(name)),
      json.COLON,
      compile(compiler, (properties as Schema)[name], `${path}/properties/${name}`),
    ),
  }));
  return memberList(compiler, members);
}

function requiredNames(schema: Schema, properties: object, path: string): ReadonlySet<string> {
  const required = schema['required'] ?? [];
  if (!Array.isArray(required)) throw unsupported(`${path}/required`, required);
  for (const name of required) {
    if (typeof name !== 'string' || !Object.hasOwn(properties, name))
      throw unsupported(`${path}/required`, name);
  }
  return new Set(required as string[]);
}

type Member = { readonly isRequired: boolean; readonly text: Expression };

/** Two names per member, because a comma stands before every member but the first that is there. */
function memberList(compiler: Compiler, members: readonly Member[]): Expression {
  const prefix = `members ${compiler.definitions.size} `;
  let first: Expression = NOTHING;
  let later: Expression = NOTHING;
  for (const [index, { isRequired, text }] of [...members.entries()].reverse()) {
    const here = sequence(text, later);
    const after = sequence(json.COMMA, text, later);
    compiler.definitions.set(`${prefix}${index} first`, isRequired ? here : choice(here, first));
    compiler.definitions.set(`${prefix}${index} later`, isRequired ? after : choice(after, later));
    first = named(`${prefix}${index} first`);
    later = named(`${prefix}${index} later`);
  }
  return sequence(literal('{'), first, literal('}'));
}

function arrayExpression(compiler: Compiler, schema: Schema, path: string): Expression {
  const item = compile(compiler, schema['items'] ?? true, `${path}/items`);
  const min = count(schema, 'minItems', path) ?? 0;
  const max = count(schema, 'maxItems', path) ?? Number.POSITIVE_INFINITY;
  if (min > max) throw unsupported(`${path}/maxItems`, max);
  if (max === 0) return literal('[]');
  const more = repeat(sequence(json.COMMA, item), Math.max(0, min - 1), max - 1);
  const items = sequence(item, more);
  return sequence(literal('['), min > 0 ? items : choice(items, NOTHING), literal(']'));
}

function stringExpression(schema: Schema, path: string): Expression {
  const min = count(schema, 'minLength', path);
  const max = count(schema, 'maxLength', path);
  const { pattern } = schema;
  if (pattern === undefined) {
    if (min !== undefined && max !== undefined && min > max)
      throw unsupported(`${path}/maxLength`, max);
    const characters =
      min === undefined && max === undefined
        ? star(json.CHARACTER)
        : repeat(json.CHARACTER, min ?? 0, max);
    return sequence(literal('"'), characters, literal('"'));
  }
  if (typeof pattern !== 'string' || !pattern.startsWith('^') || !pattern.endsWith('$'))
    throw unsupported(`${path}/pattern`, pattern);
  if (min !== undefined || max !== undefined)
    throw unsupported(`${path}/pattern`, 'beside a length');
  return sequence(literal('"'), patternExpression(pattern, { inJsonString: true }), literal('"'));
}

function count(schema: Schema, keyword: string, path: string): number | undefined {
  const value = schema[keyword];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw unsupported(`${path}/${keyword}`, value);
  return value;
}

/** A name per target, defined once: a schema may contain itself. */
function reference(compiler: Compiler, target: unknown, path: string): Expression {
  if (typeof target !== 'string' || !(target === '#' || target.startsWith('#/')))
    throw unsupported(`${path}/$ref`, target);
  const name = `ref ${target}`;
  if (!compiler.definitions.has(name)) {
    compiler.definitions.set(name, NOTHING);
    compiler.definitions.set(name, compile(compiler, resolve(compiler.root, target, path), target));
  }
  return named(name);
}

/** RFC 6901 pointer inside the schema. */
function resolve(root: unknown, pointer: string, path: string): unknown {
  let found: unknown = root;
  for (const part of pointer.split('/').slice(1)) {
    const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key))
      throw unsupported(`${path}/$ref`, pointer);
    found = (found as Schema)[key];
  }
  return found;
}

const unsupported = (path: string, value: unknown) =>
  modelError({
    code: 'schema_unsupported',
    message: `The JSON schema has something that is not supported at ${path.slice(0, 120)}.`,
    value: printValue(value),
  });
