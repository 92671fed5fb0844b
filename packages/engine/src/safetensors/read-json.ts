/** Numbers of a config.json, each checked, and the two ways in which one is refused. */
import type { JsonObject } from './parse-json.js';
import { safetensorsError } from './safetensors-error.js';

export function count(json: JsonObject, key: string, fallback?: number): number {
  const value = json[key] ?? fallback;
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw badValue(key, value, 'a whole number');
}

export function real(json: JsonObject, key: string, fallback?: number): number {
  const value = json[key] ?? fallback;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw badValue(key, value, 'a number');
}

export function reals(json: JsonObject, key: string): readonly number[] {
  const value = json[key];
  const valid = Array.isArray(value) && value.every((x) => Number.isFinite(x));
  if (valid) return value as number[];
  throw badValue(key, value, 'a list of numbers');
}

export const badValue = (key: string, value: unknown, wanted: string) =>
  safetensorsError({
    code: 'safetensors_bad_config',
    message: `${key} of config.json must be ${wanted}.`,
    value: JSON.stringify(value) ?? 'absent',
  });

export const unsupported = (key: string, value: unknown, remedy?: string) =>
  safetensorsError({
    code: 'safetensors_unsupported_model',
    message: `${key} of config.json asks for what this engine does not compute.`,
    value: JSON.stringify(value) ?? 'absent',
    remedy: remedy ?? 'Use a plain model of a supported family.',
  });
