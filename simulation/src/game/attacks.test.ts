/** The table of docs/reference/attacks.md: every item is there, and every file and test that it names exists. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SCENARIOS } from './scenarios.js';

const ROOT = new URL('../../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');
const STATES = ['shown', 'partly', 'not shown yet', 'does not apply'];

type Row = { readonly item: number; readonly state: string; readonly shownBy: string };

const rows: readonly Row[] = read('docs/reference/attacks.md')
  .split('\n')
  .filter((line) => /^\| \d+ \|/.test(line))
  .map((line) => {
    const [, item, , state, shownBy] = line.split(' | ').join('|').split('|');
    return { item: Number(item), state: state!.trim(), shownBy: shownBy!.trim() };
  });

type Named = { readonly file: string; readonly name: string };

/** `file`: `test`, `test`, ending at a line break. */
function testsOf({ shownBy }: Row): readonly Named[] {
  return shownBy.split('<br>').flatMap((part) => {
    const [file, ...names] = [...part.matchAll(/`([^`]+)`/g)].map(([, text]) => text!);
    if (file === undefined || !part.startsWith(`\`${file}\`:`)) return [];
    return names.map((name) => ({ file, name }));
  });
}

/** A test is declared by its name: a function of Solidity, or a string or template after `it(` or `it.each(..)(`. */
function isDeclared({ file, name }: Named): boolean {
  const path = new URL(file, ROOT);
  if (!existsSync(path)) return false;
  const source = readFileSync(path, 'utf8');
  if (file.endsWith('.sol')) return source.includes(`function ${name}(`);
  return ["'", '`', '"'].some((quote) =>
    new RegExp(`\\(\\s*${escaped(quote + name + quote)},`).test(source),
  );
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

describe('the table of attacks', () => {
  it('has every item of the list that applies to inference, once', () => {
    const expected = [...Array.from({ length: 56 }, (_, i) => i + 1), 63];
    expect(rows.map(({ item }) => item)).toEqual(expected);
  });

  it('names only files and tests that exist', () => {
    const named = rows.flatMap(testsOf);
    expect(named.length).toBeGreaterThan(80);
    expect(named.filter((one) => !isDeclared(one))).toEqual([]);
  });

  it('says of each item in one of four words how far it is shown, and never without a test', () => {
    for (const row of rows) {
      expect(STATES).toContain(row.state);
      if (row.state === 'shown' || row.state === 'partly')
        expect(testsOf(row).length, `item ${row.item}`).toBeGreaterThan(0);
    }
  });

  it('counts them as its introduction says', () => {
    const count = (state: string) => rows.filter((row) => row.state === state).length;
    const introduction = read('docs/reference/attacks.md').replaceAll('\n', ' ');
    const [shown, partly, open, none] = STATES.map(count);
    expect(introduction).toContain(
      `Of ${rows.length} items ${shown} are shown, ${partly} partly, ${open} not yet, ${none} does not apply`,
    );
  });

  it('knows no test that does not exist', () => {
    const file = 'simulation/src/game/attacks.test.ts';
    expect(isDeclared({ file, name: 'counts them as its introduction says' })).toBe(true);
    expect(isDeclared({ file, name: 'counts them as its introduction' })).toBe(false);
    expect(isDeclared({ file: 'simulation/src/game/nowhere.test.ts', name: 'anything' })).toBe(
      false,
    );
  });

  it('has every scenario of the game at the items that it plays', () => {
    const game = 'simulation/src/game/game.test.ts';
    for (const { name, items } of SCENARIOS)
      for (const item of items) {
        const row = rows.find((one) => one.item === item)!;
        const isGame = testsOf(row).some(({ file }) => file === game);
        expect(isGame, `${name}: ${item}`).toBe(true);
      }
  });
});
