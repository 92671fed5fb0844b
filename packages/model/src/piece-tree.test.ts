import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UNIGRAM_NODES_MAX } from './limits.js';
import { buildPieceTree, childOf } from './piece-tree.js';

describe('buildPieceTree', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'b', 'c', '\uffff', '🙂'),
    minLength: 1,
    maxLength: 5,
  });

  it('has a node for every beginning of a text, and the place of each text', () => {
    fc.assert(
      fc.property(fc.uniqueArray(text, { maxLength: 20 }), fc.array(text), (list, others) => {
        const texts = list.sort((a, b) => (a < b ? -1 : 1));
        const tree = buildPieceTree(texts);
        for (const sample of [...texts, ...others]) {
          let node = 0;
          for (let length = 1; length <= sample.length; length++) {
            node = childOf(tree, node, sample.charCodeAt(length - 1));
            const start = sample.slice(0, length);
            expect(node > 0, start).toBe(texts.some((each) => each.startsWith(start)));
            if (node === 0) break;
            expect(tree.places[node], start).toBe(texts.indexOf(start));
          }
        }
      }),
      { seed: 51, numRuns: 500 },
    );
  });

  it('refuses more nodes than it may have', () => {
    const rest = 'a'.repeat(127);
    const texts = Array.from(
      { length: Math.floor(UNIGRAM_NODES_MAX / 128) },
      (_, i) => String.fromCharCode(0x100 + i) + rest,
    );
    // With the root, one too many.
    expect(() => buildPieceTree(texts)).toThrow(
      expect.objectContaining({ code: 'tokenizer_invalid', value: String(UNIGRAM_NODES_MAX + 1) }),
    );
    expect(buildPieceTree(texts.slice(1)).units.length).toBe(UNIGRAM_NODES_MAX + 1 - 128);
  });
});
