import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TENSOR_TYPES } from './tensor-types.js';

type Case = {
  readonly type: string;
  readonly note: string;
  readonly block: string;
  readonly values: string;
};

const { cases }: { readonly cases: readonly Case[] } = JSON.parse(
  readFileSync(new URL('../../../../vectors/gguf/dequantise.json', import.meta.url), 'utf8'),
);

/** Blocks of these types become floats; the rest of the table is either wider or kept as it is. */
const BLOCK_TYPES = ['Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q2_K', 'Q3_K', 'Q4_K', 'Q5_K', 'Q6_K'];

function decode(type: string, block: Uint8Array, blockCount = 1): Float32Array {
  const row = TENSOR_TYPES.find(({ name }) => name === type)!;
  const decoded = row.decode!(block, blockCount * row.blockElements);
  if (decoded.kind !== 'float') throw new Error('floats were expected');
  return decoded.values;
}

const bitsOf = (values: Float32Array) =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('hex');

describe('decoders of quantised blocks', () => {
  it('cover every type of the vectors', () => {
    expect([...new Set(cases.map(({ type }) => type))]).toEqual(BLOCK_TYPES);
  });

  it.each(cases)('give ggml’s bits for $type, $note', ({ type, block, values }) => {
    expect(bitsOf(decode(type, Buffer.from(block, 'hex')))).toBe(values);
  });

  it('read a block wherever it lies, and several in a row', () => {
    for (const type of BLOCK_TYPES) {
      const [first, second] = cases.filter((each) => each.type === type);
      const joined = Buffer.from(`00${first!.block}${second!.block}`, 'hex').subarray(1);
      expect(bitsOf(decode(type, joined, 2))).toBe(first!.values + second!.values);
    }
  });
});
