/** Checks of single fields of a client's JSON: each returns the value or throws a {@link ParameterError} naming it. */
import { printValue } from '@assay/protocol';
import { ParameterError } from './openai-errors.js';

export type Body = { readonly [name: string]: unknown };

export const wrong = (param: string, expected: string, value: unknown): ParameterError =>
  new ParameterError({
    code: 'invalid_value',
    message: `${param} must be ${expected}.`,
    param,
    value: printValue(value),
    remedy: 'Correct it and send the request again.',
  });

export function number(
  body: Body,
  name: string,
  range: { readonly min: number; readonly max: number; readonly fallback: number },
): number {
  const value = body[name] ?? range.fallback;
  if (typeof value !== 'number' || !(value >= range.min && value <= range.max))
    throw wrong(name, `a number from ${range.min} to ${range.max}`, value);
  return value;
}

/** Undefined if the field is absent or null. */
export function integer(body: Body, name: string, min: number, max: number): number | undefined {
  const value = body[name] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max)
    throw wrong(name, `an integer from ${min} to ${max}`, value);
  return value;
}

export function boolean(body: Body, name: string): boolean {
  const value = body[name] ?? false;
  if (typeof value !== 'boolean') throw wrong(name, 'true or false', value);
  return value;
}

export function record(value: unknown, name: string): Body {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(name, 'an object', value);
  return value as Body;
}

/** Token ids; whether the model has them is not known here. */
export function tokenIds(value: unknown, name: string, countMax: number): readonly number[] {
  if (!Array.isArray(value) || value.length > countMax)
    throw wrong(name, `a list of at most ${countMax} token ids`, value);
  for (const id of value) {
    if (!Number.isInteger(id) || id < 0 || id >= 2 ** 32) throw wrong(name, 'token ids', id);
  }
  return value as number[];
}
