import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { generateVectors } from './generate-vectors.js';

describe('generateVectors', () => {
  it('gives the committed files, which Solidity asserts too', () => {
    const files = generateVectors();
    expect(files.map(({ name }) => name)).toEqual(['eip712.json', 'merkle.json']);
    for (const { name, text } of files) {
      expect(readFileSync(new URL(`../../vectors/${name}`, import.meta.url), 'utf8')).toBe(text);
    }
  });
});
