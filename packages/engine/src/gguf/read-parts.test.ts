import { describe, expect, it } from 'vitest';
import { encodeTensor } from './encode-tensor.js';
import type { GgufErrorCode } from './gguf-error.js';
import { loadGgufFile } from './load-model.js';
import type { GgufValue } from './metadata.js';
import { readGguf, readTensor } from './read-gguf.js';
import { readGgufParts } from './read-parts.js';
import { bytesSource } from './source.js';
import { writeGguf } from './write-gguf.js';

const uint16 = (value: number): GgufValue => ({ type: 'uint16', value });

type Part = {
  readonly number?: number;
  readonly count?: number;
  readonly tensorCount?: number;
  readonly tensors?: Readonly<Record<string, number>>;
};

/** A part whose tensors are vectors of three equal values, as llama.cpp's tool writes it. */
function part({ number, count, tensorCount, tensors = {} }: Part) {
  const entries: (readonly [string, GgufValue | undefined])[] = [
    ['general.name', number === 0 ? { type: 'string', value: 'whole' } : undefined],
    ['split.no', number === undefined ? undefined : uint16(number)],
    ['split.count', count === undefined ? undefined : uint16(count)],
    [
      'split.tensors.count',
      tensorCount === undefined ? undefined : { type: 'int32', value: tensorCount },
    ],
  ];
  return bytesSource(
    writeGguf({
      metadata: new Map(entries.filter((e): e is [string, GgufValue] => e[1] !== undefined)),
      tensors: Object.entries(tensors).map(([name, value]) => ({
        name,
        dims: [3],
        type: 'F32',
        bytes: encodeTensor('F32', new Float32Array(3).fill(value)),
      })),
    }),
  );
}

const whole = { count: 3, tensorCount: 3 };
const FIRST = part({ ...whole, number: 0, tensors: { a: 1 } });
const SECOND = part({ ...whole, number: 1, tensors: { b: 2, c: 3 } });
/** Part without a tensor: the tool can leave the first or last one so. */
const THIRD = part({ ...whole, number: 2 });

const refused = (parts: readonly ReturnType<typeof part>[], code: GgufErrorCode) =>
  expect(() => readGgufParts(parts)).toThrow(expect.objectContaining({ code }));

describe('readGgufParts', () => {
  it('joins parts in any order; metadata is that of part 0', () => {
    for (const parts of [
      [FIRST, SECOND, THIRD],
      [THIRD, SECOND, FIRST],
    ]) {
      const file = readGgufParts(parts);
      expect([...file.tensors.keys()]).toEqual(['a', 'b', 'c']);
      expect([...file.metadata.keys()]).toEqual(['general.name']);
      const values = [...file.tensors.values()].map((tensor) => readTensor(file, tensor));
      expect(values).toEqual(
        [1, 2, 3].map((value) => ({ kind: 'float', values: new Float32Array(3).fill(value) })),
      );
    }
  });

  it('takes a file that was never cut', () => {
    expect([...readGgufParts([part({ tensors: { a: 1 } })]).tensors.keys()]).toEqual(['a']);
    const single = part({ number: 0, count: 1, tensorCount: 1, tensors: { a: 1 } });
    expect([...readGgufParts([single]).tensors.keys()]).toEqual(['a']);
  });

  it('refuses missing parts', () => {
    refused([], 'gguf_split_missing');
    refused([FIRST], 'gguf_split_missing');
    refused([FIRST, THIRD], 'gguf_split_missing');
    expect(() => readGgufParts([FIRST, THIRD])).toThrow(expect.objectContaining({ value: '1' }));
    expect(() => loadGgufFile(readGguf(SECOND))).toThrow(
      expect.objectContaining({ code: 'gguf_split_missing' }),
    );
  });

  it('refuses parts that are not of one model', () => {
    refused([FIRST, SECOND, SECOND], 'gguf_split_mismatch');
    refused([FIRST, SECOND, THIRD, THIRD], 'gguf_split_mismatch');
    refused([FIRST, SECOND, part({ count: 4, number: 2 })], 'gguf_split_mismatch');
    refused([FIRST, SECOND, part({ count: 3, number: 3 })], 'gguf_split_mismatch');
    refused(
      [FIRST, SECOND, part({ count: 3, number: 2, tensors: { d: 4 } })],
      'gguf_split_mismatch',
    );
    refused(
      [FIRST, part({ count: 3, number: 1, tensors: { a: 4 } }), THIRD],
      'gguf_duplicate_tensor',
    );
    refused([FIRST, SECOND, part({ number: 2 })], 'gguf_missing_metadata');
    refused([FIRST, SECOND, part({ count: 3 })], 'gguf_missing_metadata');
    refused(new Array(1_025).fill(FIRST), 'gguf_count_absurd');
  });
});
