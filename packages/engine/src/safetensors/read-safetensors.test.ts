import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EngineError } from '../engine-error.js';
import { bytesSource } from '../gguf/source.js';
import { HEADER_BYTES_MAX } from './limits.js';
import { readSafetensors, readSafetensorsValues } from './read-safetensors.js';
import type { SafetensorsErrorCode } from './safetensors-error.js';
import { writeSafetensors } from './write-safetensors.js';

/** A file with this header text, length and data, all of which may lie. */
function craft(header: string, data = 0, length?: bigint): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + data);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

type Entry = {
  readonly dtype?: unknown;
  readonly shape?: unknown;
  readonly data_offsets?: unknown;
};
const entry = (begin: number, end: number, change: Entry = {}) => ({
  dtype: 'F32',
  shape: [(end - begin) / 4],
  data_offsets: [begin, end],
  ...change,
});
const of = (entries: Readonly<Record<string, unknown>>, data = 0) =>
  craft(JSON.stringify(entries), data);

function readAll(bytes: Uint8Array) {
  const file = readSafetensors(bytesSource(bytes));
  return [...file.tensors.values()].map((tensor) => readSafetensorsValues(file, tensor));
}

const refused = (bytes: Uint8Array, code: SafetensorsErrorCode) =>
  expect(() => readAll(bytes)).toThrow(expect.objectContaining({ name: 'EngineError', code }));

describe('readSafetensors', () => {
  it('reads what was written, in every type', () => {
    const values = Float32Array.of(1, -2, 0.5, 0, -0.25, 3);
    for (const dtype of ['F32', 'F16', 'BF16'] as const) {
      const bytes = writeSafetensors({
        dtype,
        tensors: [
          { name: 'b', shape: [2, 3], values: () => values },
          { name: 'a', shape: [1], values: () => Float32Array.of(7) },
        ],
      });
      expect(readAll(bytes)).toEqual([values, Float32Array.of(7)]);
    }
  });

  it('takes tensors in any order of their bytes, empty ones and a scalar', () => {
    const file = of(
      { a: entry(4, 8), b: entry(0, 4), c: entry(4, 4), d: entry(8, 12, { shape: [] }) },
      12,
    );
    expect(readAll(file).map(({ length }) => length)).toEqual([1, 1, 0, 1]);
  });

  it('refuses headers that are cut, too long or no JSON object', () => {
    refused(new Uint8Array(7), 'safetensors_truncated');
    refused(craft('{}', 0, 3n), 'safetensors_truncated');
    refused(craft('{}', 0, BigInt(HEADER_BYTES_MAX) + 1n), 'safetensors_header_too_long');
    refused(craft('{}', 0, 2n ** 64n - 1n), 'safetensors_header_too_long');
    for (const text of ['', ' {}', '\ufeff{}', '[]', '{', '{"a":1}', '{"a":null}', '{"a":[]}']) {
      refused(craft(text), 'safetensors_bad_header');
    }
    refused(craft(`{"a":${'['.repeat(1e6)}`), 'safetensors_bad_header');
    const many = Object.fromEntries(Array.from({ length: 65_537 }, (_, i) => [`t${i}`, 0]));
    refused(of(many), 'safetensors_count_absurd');
  });

  it('refuses overlap, holes and bytes outside of the file', () => {
    refused(of({ a: entry(0, 8), b: entry(4, 12) }, 12), 'safetensors_tensor_overlap');
    refused(of({ a: entry(0, 8), b: entry(0, 8) }, 8), 'safetensors_tensor_overlap');
    refused(of({ a: entry(0, 4), b: entry(8, 12) }, 12), 'safetensors_hole');
    refused(of({ a: entry(4, 8) }, 8), 'safetensors_hole');
    refused(of({ a: entry(0, 4) }, 5), 'safetensors_hole');
    refused(of({ a: entry(0, 8) }, 4), 'safetensors_truncated');
    refused(of({}, 1), 'safetensors_hole');
    // A second entry of the same name replaces the first, whose bytes are then nobody's.
    const twice = `{"a":${JSON.stringify(entry(0, 4))},"a":${JSON.stringify(entry(4, 8))}}`;
    refused(craft(twice, 8), 'safetensors_hole');
  });

  it('refuses absurd entries', () => {
    const one = (change: Entry) => of({ a: entry(0, 4, change) }, 4);
    for (const data_offsets of [
      undefined,
      [0],
      [4, 0],
      [-4, 0],
      [0, 0.5],
      ['0', '4'],
      [0, 2 ** 60],
      [0, 8],
    ]) {
      refused(one({ data_offsets }), 'safetensors_bad_offsets');
    }
    for (const shape of [
      undefined,
      1,
      [-1],
      [0.5],
      ['1'],
      [2 ** 50],
      [2 ** 30, 2 ** 30],
      Array(9).fill(1),
    ]) {
      refused(one({ shape }), 'safetensors_bad_shape');
    }
    for (const dtype of [undefined, 4, 'f32', '__proto__']) {
      refused(one({ dtype }), 'safetensors_unsupported_type');
    }
    refused(one({ dtype: 'I32' }), 'safetensors_unsupported_type');
  });

  it('refuses infinities and NaN', () => {
    const bytes = of({ a: entry(0, 4) }, 4);
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      new DataView(bytes.buffer).setFloat32(bytes.length - 4, value, true);
      refused(bytes, 'safetensors_not_finite');
    }
  });

  it('reads or refuses whatever happens to a byte (seed 31)', () => {
    const tensors = [{ name: 'a', shape: [2, 3], values: () => new Float32Array(6).fill(1.5) }];
    const valid = writeSafetensors({ dtype: 'F32', tensors });
    fc.assert(
      fc.property(
        fc.nat(valid.length - 1),
        fc.nat(255),
        fc.nat(valid.length),
        (at, byte, length) => {
          const bytes = valid.with(at, byte).subarray(0, length % 3 === 0 ? length : valid.length);
          try {
            readAll(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(EngineError);
            expect((error as EngineError).code).toMatch(/^(safetensors|gguf_truncated)/);
          }
        },
      ),
      { seed: 31, numRuns: 3_000 },
    );
  });
});
