/** Keccak in WebAssembly against another implementation, and the one published vector that everybody knows. */
import { keccak_256 } from '@noble/hashes/sha3.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keccak, sha256, sha256Of } from './hash.js';
import { toHex } from './hex.js';

/** Room of the module's buffer: longer inputs go in parts. */
const BUFFER_BYTES = 240 * 136;

describe('keccak', () => {
  it('of nothing is the value that empty accounts have as code hash', () => {
    expect(toHex(keccak(new Uint8Array()))).toBe(
      '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470',
    );
  });

  it('agrees at every length around a block and around the buffer', () => {
    const lengths = [0, 136, 272, BUFFER_BYTES, 2 * BUFFER_BYTES].flatMap((length) =>
      [-2, -1, 0, 1, 2].map((step) => length + step).filter((size) => size >= 0),
    );
    for (const length of lengths) {
      const bytes = Uint8Array.from({ length }, (_, index) => (index * 31 + length) % 251);
      expect(keccak(bytes), `${length} bytes`).toEqual(keccak_256(bytes));
    }
  });

  it('agrees on any bytes, also on a view into others', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(20), (bytes, from) => {
        const view = bytes.subarray(Math.min(from, bytes.length));
        expect(keccak(view)).toEqual(keccak_256(view));
      }),
      { seed: 0x6b656363, numRuns: 300 },
    );
  });

  it('gives bytes that a later digest does not change', () => {
    const first = keccak(Uint8Array.of(1));
    const copy = first.slice();
    keccak(Uint8Array.of(2));
    expect(first).toEqual(copy);
  });
});

describe('sha256Of', () => {
  it('is the hash of the parts joined, wherever they are cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, cut) => {
        const parts = [bytes.subarray(0, cut), bytes.subarray(cut)];
        expect(sha256Of(parts)).toEqual(sha256(bytes));
      }),
      { seed: 0x73686132, numRuns: 100 },
    );
    expect(sha256Of([])).toEqual(sha256(new Uint8Array()));
  });
});
