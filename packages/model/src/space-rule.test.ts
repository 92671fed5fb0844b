import { describe, expect, it } from 'vitest';
import { openTokenizerOnly } from './model-file.js';
import { spaceNormalizer } from './space-rule.js';
import { tinyModelFile } from './testing/tiny-model.js';
import { SPACE_RULES, type SpaceRule } from './vocabulary.js';

const { vocabulary } = openTokenizerOnly(tinyModelFile()).tokenizer;
const TEXTS = ['  a  b\n\u3000', ' ', 'a▁ ', '▁a  ▁b', 'a\u00a0b'];

const EXPECTED: Readonly<Record<SpaceRule, readonly string[]>> = {
  kept: TEXTS,
  trimmed: ['a b\n\u3000', '', 'a', '▁a ▁b', 'a\u00a0b'],
  merged: [' a b\n\u3000', ' ', 'a▁ ', '▁a ▁b', 'a\u00a0b'],
  stripped: [' a b', '', 'a▁', '▁a ▁b', 'a\u00a0b'],
  words: [' a b', '', ' a▁', '▁a▁b', ' a b'],
};

describe('spaceNormalizer', () => {
  it.each(SPACE_RULES)('does about spaces what its rule says: %s', (spaceRule) => {
    const normalize = spaceNormalizer({ ...vocabulary, spaceRule });
    expect(TEXTS.map(normalize)).toEqual(EXPECTED[spaceRule]);
  });
});
