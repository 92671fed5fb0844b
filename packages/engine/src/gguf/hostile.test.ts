import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EngineError } from '../engine-error.js';
import { encodeTensor } from './encode-tensor.js';
import type { GgufErrorCode } from './gguf-error.js';
import type { GgufValue } from './metadata.js';
import { type GgufFile, readGguf, readTensor } from './read-gguf.js';
import { bytesSource } from './source.js';
import { TENSOR_TYPES } from './tensor-types.js';
import { writeGguf } from './write-gguf.js';

/** Hand-written file: every field may lie. Numbers are little-endian words of the stated width. */
type Field = { readonly u32: number } | { readonly u64: bigint } | { readonly text: string };
const u32 = (value: number): Field => ({ u32: value });
const u64 = (value: number | bigint): Field => ({ u64: BigInt(value) });
const text = (value: string): Field => ({ text: value });

function craft(fields: readonly Field[], padding = 0): Uint8Array {
  const bytes: number[] = [...new TextEncoder().encode('GGUF')];
  const push = (value: bigint, size: number) => {
    for (let i = 0; i < size; i++) bytes.push(Number((value >> BigInt(8 * i)) & 255n));
  };
  for (const field of fields) {
    if ('u32' in field) push(BigInt(field.u32), 4);
    else if ('u64' in field) push(field.u64, 8);
    else {
      const encoded = new TextEncoder().encode(field.text);
      push(BigInt(encoded.length), 8);
      bytes.push(...encoded);
    }
  }
  return Uint8Array.from([...bytes, ...new Uint8Array(padding)]);
}

const header = (tensors: number | bigint, pairs: number | bigint) => [
  u32(3),
  u64(tensors),
  u64(pairs),
];
const tensor = (
  name: string,
  dims: readonly (number | bigint)[],
  type: number,
  at: number | bigint,
) => [text(name), u32(dims.length), ...dims.map(u64), u32(type), u64(at)];

function readAll(bytes: Uint8Array): GgufFile {
  const file = readGguf(bytesSource(bytes));
  for (const info of file.tensors.values()) readTensor(file, info);
  return file;
}

const refused = (bytes: Uint8Array, code: GgufErrorCode) =>
  expect(() => readAll(bytes)).toThrow(expect.objectContaining({ name: 'EngineError', code }));

/** Reads; any throw that is not a named refusal fails the test. */
function readOrRefuse(bytes: Uint8Array): 'read' | string {
  try {
    readAll(bytes);
    return 'read';
  } catch (error) {
    if (error instanceof EngineError && error.code.startsWith('gguf_')) return error.code;
    throw error;
  }
}

const valid = writeGguf({
  metadata: new Map<string, GgufValue>([
    ['general.architecture', { type: 'string', value: 'llama' }],
    [
      'n',
      {
        type: 'array',
        element: 'array',
        value: [{ type: 'array', element: 'int8', value: Int8Array.of(1, 2) }],
      },
    ],
    ['s', { type: 'array', element: 'string', value: ['a', 'bc'] }],
  ]),
  tensors: [
    { name: 'norm', dims: [3], type: 'F32', bytes: encodeTensor('F32', Float32Array.of(1, 2, 3)) },
    {
      name: 'matrix',
      dims: [32, 2],
      type: 'Q8_0',
      bytes: encodeTensor(
        'Q8_0',
        Float32Array.from({ length: 64 }, (_, i) => i / 64),
      ),
    },
    { name: 'half', dims: [2], type: 'F16', bytes: encodeTensor('F16', Float32Array.of(1, 2)) },
  ],
});

/** Bytes after the last tensor are padding, which some writers leave out. */
const dataEnd = Math.max(
  ...[...readGguf(bytesSource(valid)).tensors.values()].map((t) => t.offset + t.byteCount),
);

describe('hostile files: structure', () => {
  it('refuses every proper prefix by name', () => {
    for (let length = 0; length < dataEnd; length++) {
      expect(readOrRefuse(valid.subarray(0, length)), `prefix of ${length}`).not.toBe('read');
    }
    expect(readOrRefuse(valid.subarray(0, dataEnd))).toBe('read');
  });

  it('survives any flipped bits', () => {
    const flips = fc.array(fc.nat(8 * dataEnd - 1), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(flips, (bits) => {
        const bytes = valid.slice();
        for (const bit of bits) bytes[bit >> 3]! ^= 1 << (bit & 7);
        readOrRefuse(bytes);
      }),
      { seed: 20, numRuns: 3_000 },
    );
  });

  it('survives any overwritten words', () => {
    const edge = fc.constantFrom(
      0n,
      1n,
      2n ** 31n,
      2n ** 32n - 1n,
      2n ** 53n,
      2n ** 63n,
      2n ** 64n - 1n,
    );
    fc.assert(
      fc.property(fc.nat(dataEnd - 8), edge, (at, word) => {
        const bytes = valid.slice();
        new DataView(bytes.buffer).setBigUint64(at, word, true);
        readOrRefuse(bytes);
      }),
      { seed: 21, numRuns: 3_000 },
    );
  });

  it('survives random bytes after the header', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.nat(3),
        fc.nat(3),
        (noise, tensors, pairs) => {
          const head = craft(header(tensors, pairs));
          readOrRefuse(Uint8Array.from([...head, ...noise]));
        },
      ),
      { seed: 22, numRuns: 2_000 },
    );
  });

  it('refuses other magics and versions', () => {
    refused(new TextEncoder().encode('GGML____________'), 'gguf_bad_magic');
    refused(new Uint8Array(0), 'gguf_truncated');
    for (const version of [0, 1, 4, 0x03000000]) {
      refused(craft([u32(version), u64(0), u64(0)]), 'gguf_unsupported_version');
    }
  });
});

describe('hostile files: counts and metadata', () => {
  it('refuses absurd counts without taking memory for them', () => {
    const before = process.memoryUsage().heapUsed;
    refused(craft(header(2n ** 63n, 0)), 'gguf_count_absurd');
    refused(craft(header(0, 2n ** 64n - 1n)), 'gguf_count_absurd');
    refused(craft(header(60_000, 0)), 'gguf_truncated');
    refused(craft(header(0, 60_000)), 'gguf_truncated');
    const array = (element: number, count: bigint | number) =>
      craft([...header(0, 1), text('k'), u32(9), u32(element), u64(count)], 64);
    refused(array(4, 2n ** 62n), 'gguf_count_absurd');
    refused(array(4, 16_000_000), 'gguf_truncated');
    refused(array(8, 16_000_000), 'gguf_truncated');
    refused(array(9, 16_000_000), 'gguf_truncated');
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(32 * 2 ** 20);
  });

  it('refuses absurd strings', () => {
    refused(craft([...header(0, 1), u64(2n ** 40n)], 64), 'gguf_string_too_long');
    refused(craft([...header(0, 1), text('k'), u32(8), u64(60_000_000)], 64), 'gguf_truncated');
    refused(
      craft([...header(0, 1), text('k'), u32(8), u64(2n ** 64n - 1n)], 64),
      'gguf_string_too_long',
    );
  });

  it('refuses invalid UTF-8', () => {
    const bytes = craft([...header(0, 1), text('k?'), u32(4), u32(1)], 64);
    bytes[bytes.indexOf('?'.charCodeAt(0))] = 0xff;
    refused(bytes, 'gguf_bad_utf8');
  });

  it('refuses unknown value types, also inside arrays', () => {
    refused(craft([...header(0, 1), text('k'), u32(13)], 64), 'gguf_bad_value_type');
    refused(
      craft([...header(0, 1), text('k'), u32(9), u32(99), u64(1)], 64),
      'gguf_bad_value_type',
    );
  });

  it('refuses arrays nested beyond the limit instead of recursing', () => {
    const levels = Array.from({ length: 5_000 }, () => [u32(9), u64(1)]).flat();
    refused(craft([...header(0, 1), text('k'), u32(9), ...levels], 64), 'gguf_array_too_deep');
  });

  it('refuses duplicate keys and tensors', () => {
    const pair = [text('k'), u32(4), u32(1)];
    refused(craft([...header(0, 2), ...pair, ...pair], 64), 'gguf_duplicate_key');
    refused(
      craft([...header(2, 0), ...tensor('t', [1], 0, 0), ...tensor('t', [1], 0, 32)], 128),
      'gguf_duplicate_tensor',
    );
  });

  it('refuses bools that are neither, and bad alignments', () => {
    const bool = craft([...header(0, 1), text('k'), u32(7)], 64);
    bool[4 + 20 + 9 + 4] = 2;
    refused(bool, 'gguf_bad_metadata');
    for (const alignment of [0, 1, 24, 2 ** 20, 2 ** 31]) {
      refused(
        craft([...header(0, 1), text('general.alignment'), u32(4), u32(alignment)], 64),
        'gguf_bad_alignment',
      );
    }
  });
});

describe('hostile files: tensors', () => {
  it('refuses absurd dimensions', () => {
    const cases: readonly (readonly (number | bigint)[])[] = [
      [],
      [0],
      [1, 0],
      [1, 1, 1, 1, 1],
      [2n ** 64n - 1n],
      [2n ** 31n],
      [2n ** 31n - 1n, 2n ** 31n - 1n],
      [2n ** 31n - 1n, 2n ** 31n - 1n, 2n ** 31n - 1n, 2n ** 31n - 1n],
    ];
    for (const dims of cases) {
      refused(craft([...header(1, 0), ...tensor('t', dims, 0, 0)], 256), 'gguf_dims_absurd');
    }
  });

  it('refuses tensors outside the file, misaligned or overlapping', () => {
    const one = (at: number | bigint, dims: number[] = [8]) =>
      craft([...header(1, 0), ...tensor('t', dims, 0, at)], 128);
    refused(one(2n ** 64n - 32n), 'gguf_tensor_out_of_file');
    refused(one(2n ** 53n), 'gguf_tensor_out_of_file');
    refused(one(0, [1_000]), 'gguf_tensor_out_of_file');
    refused(one(4), 'gguf_tensor_misaligned');
    const two = (a: number, b: number) =>
      craft([...header(2, 0), ...tensor('x', [16], 0, a), ...tensor('y', [8], 0, b)], 256);
    refused(two(0, 0), 'gguf_tensor_overlap');
    refused(two(0, 32), 'gguf_tensor_overlap');
    expect(readOrRefuse(two(0, 64))).toBe('read');
  });

  it('refuses unknown and unread storage types, broken blocks, long names', () => {
    refused(craft([...header(1, 0), ...tensor('t', [32], 5, 0)], 256), 'gguf_unsupported_type');
    refused(craft([...header(1, 0), ...tensor('t', [32], 26, 0)], 256), 'gguf_unsupported_type');
    refused(craft([...header(1, 0), ...tensor('t', [33], 8, 0)], 256), 'gguf_bad_shape');
    refused(
      craft([...header(1, 0), ...tensor('t'.repeat(65), [1], 0, 0)], 256),
      'gguf_string_too_long',
    );
  });

  it('refuses scales and values that are not finite', () => {
    const info = (name: string) => readGguf(bytesSource(valid)).tensors.get(name)!;
    const patched = (at: number, word: number) => {
      const bytes = valid.slice();
      new DataView(bytes.buffer).setUint16(at, word, true);
      return bytes;
    };
    for (const bits of [0x7c00, 0x7e00, 0xfc00, 0x7c01]) {
      refused(patched(info('matrix').offset + 34, bits), 'gguf_nan_scale');
      refused(patched(info('half').offset, bits), 'gguf_not_finite');
    }
    refused(patched(info('norm').offset + 2, 0x7f80), 'gguf_not_finite');
  });

  it('refuses blocks of every quantised type whose scale or minimum is not finite', () => {
    const quantised = TENSOR_TYPES.filter(({ name }) => /^Q[2-6]_/.test(name));
    expect(quantised.length).toBe(9);
    for (const { name, blockElements, blockBytes } of quantised) {
      const blank = readBlock(name, blockElements, new Uint8Array(blockBytes));
      expect(blank).toBe('read');
      const refusals = Array.from({ length: blockBytes / 2 }, (_, word) => {
        const block = new Uint8Array(blockBytes).fill(0x11);
        new DataView(block.buffer).setUint16(2 * word, 0x7e00, true);
        return readBlock(name, blockElements, block);
      });
      const words = /_1$|^Q[245]_K$/.test(name) ? 2 : 1;
      expect(refusals.filter((code) => code === 'gguf_not_finite').length, name).toBe(words);
      expect(refusals.filter((code) => code === 'read').length).toBe(blockBytes / 2 - words);
    }
  });
});

/** Reads a file with one tensor of one block. */
function readBlock(type: string, elements: number, bytes: Uint8Array): string {
  const tensors = [{ name: 't', dims: [elements], type, bytes }];
  return readOrRefuse(writeGguf({ metadata: new Map(), tensors }));
}
