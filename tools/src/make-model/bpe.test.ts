import { describe, expect, it } from 'vitest';
import { createTokenizer, trainTokenizer } from './bpe.js';

const text = 'the cat and the hat and the bat';

describe('trainTokenizer', () => {
  it('merges the most frequent pair first and breaks ties by the letters', () => {
    const { merges } = trainTokenizer([text], 262);
    // "t h", "th e" and "Ġ a" occur 2 to 3 times; equal counts go to the smaller letters.
    expect(merges[0]).toBe('a t');
    expect(merges).toHaveLength(3);
  });

  it('stops when nothing repeats', () => {
    expect(trainTokenizer(['abc'], 1024).merges).toEqual([]);
  });
});

describe('createTokenizer', () => {
  const tokenizer = trainTokenizer([text], 270);

  it('gives back any text', () => {
    for (const sample of ['', 'the bat', "What's Assay?  \n", 'Zürich 東京 🙂', '\u0000\t']) {
      expect(tokenizer.decode(tokenizer.encode(sample))).toBe(sample);
    }
  });

  it('is defined by its merges', () => {
    expect(createTokenizer(tokenizer.merges).encode(text)).toEqual(tokenizer.encode(text));
  });

  it('has the special tokens last and never produces them from text', () => {
    expect(tokenizer.tokens.slice(-3)).toEqual(['<|endoftext|>', '<|im_start|>', '<|im_end|>']);
    const largest = Math.max(...tokenizer.encode('<|im_end|>'));
    expect(largest).toBeLessThan(tokenizer.tokens.length - 3);
  });
});
