/** The roots of whole positions against the trees that are hashed leaf by leaf. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRowHasher } from './row-hasher.js';
import { encodeElements } from './row-leaves.js';
import { leavesRoot } from './trace.js';
import { nodeRoot } from './tree.js';

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

const cut = (bytes: Uint8Array, size: number): Uint8Array[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  );

/** The root of rows of leaves, by the definition. */
const rootOf = (rows: readonly (readonly Uint8Array[])[]): Uint8Array =>
  nodeRoot(
    rows.map((leaves) => leavesRoot(leaves, sha256)),
    sha256,
  );

describe('createRowHasher', () => {
  const hasher = createRowHasher();

  it('pads messages of every length up to three blocks, in every lane', () => {
    for (let size = 1; size <= 200; size++) {
      const bytes = Uint8Array.from({ length: 5 * size }, (_, i) => i * 31 + size);
      hasher.clear();
      hasher.leaves(bytes, size);
      hasher.endRow();
      const root = Buffer.from(hasher.root()).toString('hex');
      expect(root, `${size}`).toBe(Buffer.from(rootOf([cut(bytes, size)])).toString('hex'));
    }
  });

  it('gives the root of any rows, again and again', () => {
    const run = fc.record({
      bytes: fc.uint8Array({ minLength: 1, maxLength: 3_000 }),
      size: fc.constantFrom(6, 64, 96, 128, 256, 512),
    });
    const rows = fc.array(fc.array(run, { minLength: 1, maxLength: 4 }), {
      minLength: 1,
      maxLength: 9,
    });
    fc.assert(
      fc.property(rows, (each) => {
        hasher.clear();
        for (const runs of each) {
          for (const { bytes, size } of runs) hasher.leaves(bytes, size);
          hasher.endRow();
        }
        const expected = rootOf(each.map((runs) => runs.flatMap((r) => cut(r.bytes, r.size))));
        expect(Buffer.from(hasher.root()).equals(expected)).toBe(true);
      }),
      { seed: 20, numRuns: 200 },
    );
  });

  it('encodes elements of both widths, and keeps what stands before and behind them', () => {
    const halves = Int16Array.of(-32_768, -1, 0, 1, 32_767);
    const words = Int32Array.of(-(2 ** 31), -1, 0, 1, 2 ** 31 - 1, 258);
    hasher.clear();
    hasher.leaves(Uint8Array.of(1, 2, 3), 3);
    hasher.elements(halves, 8);
    hasher.elements(words.subarray(1), 12);
    hasher.endRow();
    const leaves = [
      Uint8Array.of(1, 2, 3),
      ...cut(encodeElements(halves), 8),
      ...cut(encodeElements(words.subarray(1)), 12),
    ];
    expect(Buffer.from(hasher.root()).equals(rootOf([leaves]))).toBe(true);
  });
});
