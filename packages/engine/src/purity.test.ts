/** The engine's promise that nothing but its inputs enters a result, checked over its source text. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const FOLDER = new URL('./', import.meta.url);

/** Files that define results; threads, memory and files have folders and rules of their own. */
const COMMITTED = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
  .filter((path) => !path.startsWith('wasm/') && !path.startsWith('gguf/'));

const FORBIDDEN: Readonly<Record<string, RegExp>> = {
  clock: /\bDate\b|\bperformance\b|\bsetTimeout\b/,
  randomness: /Math\.random|\bcrypto\b/,
  network: /\bfetch\(|\bWebSocket\b/,
  process: /\bprocess\.|from 'node:/,
  transcendental: /Math\.(a?(sin|cos|tan)h?|exp|expm1|log|log2|log10|log1p|pow|sqrt|cbrt|hypot)\b/,
  import: /from '(?!\.)/,
};

describe('source of committed steps', () => {
  it('sees the files', () => {
    expect(COMMITTED.length).toBeGreaterThan(15);
    expect(COMMITTED).toContain('reference/ops.ts');
  });

  for (const [name, pattern] of Object.entries(FORBIDDEN)) {
    it(`holds no ${name}`, () => {
      const found = COMMITTED.filter((path) => {
        const code = readFileSync(new URL(path, FOLDER), 'utf8').replace(
          /\/\*[\s\S]*?\*\/|\/\/.*/g,
          '',
        );
        return pattern.test(code);
      });
      expect(found).toEqual([]);
    });
  }
});
