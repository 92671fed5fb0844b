import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { generateCourtVectors } from './generate-court-vectors.js';

const SIZE_MAX = 400_000;

describe('generateCourtVectors', () => {
  const files = generateCourtVectors();

  it('gives the committed files, which the checkers are held against', () => {
    for (const { name, text } of files) {
      const committed = new URL(`../../vectors/court/${name}`, import.meta.url);
      expect(readFileSync(committed, 'utf8')).toBe(text);
    }
  });

  it('has at least 2,000 leaves per op, and stays small', () => {
    const counts = files.map(({ text }) => JSON.parse(text).leaves).filter(Number.isInteger);
    expect(counts.length).toBe(16);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(2_000);
    expect(files.reduce((size, { text }) => size + text.length, 0)).toBeLessThan(SIZE_MAX);
  });
});
