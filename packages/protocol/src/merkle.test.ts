import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from './hex.js';
import {
  EMPTY_FRONTIER,
  extendFrontier,
  frontierRoot,
  hashLeaf,
  hashNode,
  merkleProof,
  merkleRoot,
  rootFromProof,
} from './merkle.js';

const leaf = fc.uint8Array({ maxLength: 40 });
const tree = fc.array(leaf, { minLength: 1, maxLength: 40 });

describe('merkleRoot', () => {
  it('differs when the last leaf is doubled (CVE-2012-2459)', () => {
    const [a, b, c] = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)];
    expect(merkleRoot([a, b, c])).not.toEqual(merkleRoot([a, b, c, c]));
  });

  it('does not take an inner node for a leaf', () => {
    const [a, b] = [Uint8Array.of(1), Uint8Array.of(2)];
    const node = hashNode(hashLeaf(a), hashLeaf(b));
    expect(merkleRoot([node])).not.toEqual(merkleRoot([a, b]));
  });

  it('depends on the order and on the count', () => {
    fc.assert(
      fc.property(tree, (leaves) => {
        expect(merkleRoot([...leaves, new Uint8Array()])).not.toEqual(merkleRoot(leaves));
      }),
      { seed: 1, numRuns: 50 },
    );
  });
});

describe('rootFromProof', () => {
  it('leads every leaf back to the root', () => {
    fc.assert(
      fc.property(tree, fc.nat(), (leaves, pick) => {
        const index = pick % leaves.length;
        const root = rootFromProof({
          data: leaves[index]!,
          index,
          count: leaves.length,
          proof: merkleProof(leaves, index),
        });
        expect(root).toEqual(merkleRoot(leaves));
      }),
      { seed: 2, numRuns: 100 },
    );
  });

  it('refuses a wrong index, a short proof and a long proof', () => {
    const leaves = [1, 2, 3, 4, 5].map((value) => Uint8Array.of(value));
    const proof = merkleProof(leaves, 1);
    const at = (index: number, siblings: Uint8Array[]) =>
      rootFromProof({ data: leaves[1]!, index, count: 5, proof: siblings });
    expect(at(1, proof)).toEqual(merkleRoot(leaves));
    expect(at(0, proof)).not.toEqual(merkleRoot(leaves));
    expect(at(5, proof)).toBeUndefined();
    expect(at(1, proof.slice(1))).toBeUndefined();
    expect(at(1, [...proof, proof[0]!])).toBeUndefined();
  });
});

describe('extendFrontier', () => {
  it('gives the root of the whole tree after every leaf', () => {
    let frontier = EMPTY_FRONTIER;
    const leaves: Uint8Array[] = [];
    expect(frontierRoot(frontier)).toBe(toHex(merkleRoot([])));
    for (let index = 0; index < 70; index++) {
      const data = Uint8Array.of(index, 7);
      leaves.push(data);
      frontier = extendFrontier(frontier, data);
      expect(frontierRoot(frontier)).toBe(toHex(merkleRoot(leaves)));
    }
  });
});
