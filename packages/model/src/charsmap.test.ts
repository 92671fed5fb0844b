import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openCharsmap } from './charsmap.js';
import { CHARSMAP_BYTES_MAX, TEXT_LENGTH_MAX } from './limits.js';

const encoder = new TextEncoder();
const LEAF = 0x100;
const VALUE = 0x8000_0000;

type Trie = { readonly children: Map<number, Trie>; value?: number };

/** A double array as Darts-clone lays it out, placed by trying every 256th base; replacements in the order of keys. */
function buildCharsmap(table: ReadonlyMap<string, string>): Uint8Array {
  const root: Trie = { children: new Map() };
  const texts: number[] = [];
  for (const [key, value] of table) {
    let node = root;
    for (const byte of encoder.encode(key)) {
      if (!node.children.has(byte)) node.children.set(byte, { children: new Map() });
      node = node.children.get(byte)!;
    }
    node.value = texts.length;
    texts.push(...encoder.encode(value), 0);
  }
  const units: number[] = [0];
  let nextBase = 256;
  const place = (node: Trie, at: number): void => {
    // An offset is a distance by exclusive or, so a block of its own keeps every node apart.
    const base = nextBase ^ (at & 0xff);
    nextBase += 256;
    units[at] = (units[at] ?? 0) | ((at ^ base) << 10);
    if (node.value !== undefined) {
      units[at]! |= LEAF;
      units[base] = (VALUE | node.value) >>> 0;
    }
    for (const [byte, child] of node.children) {
      units[base ^ byte] = byte;
      place(child, base ^ byte);
    }
  };
  place(root, 0);
  return join(
    Array.from({ length: nextBase }, (_, at) => units[at] ?? 0),
    texts,
  );
}

function join(units: readonly number[], texts: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * units.length + texts.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 4 * units.length, true);
  units.forEach((unit, at) => {
    view.setUint32(4 + 4 * at, unit >>> 0, true);
  });
  bytes.set(texts, 4 + 4 * units.length);
  return bytes;
}

/** The rule read plainly: at each place the longest key, else the character. */
function replaceLongest(text: string, table: ReadonlyMap<string, string>): string {
  const keys = [...table.keys()].sort((a, b) => b.length - a.length);
  let out = '';
  for (let at = 0; at < text.length; ) {
    const key = keys.find((each) => text.startsWith(each, at));
    const step = key ?? String.fromCodePoint(text.codePointAt(at)!);
    out += key === undefined ? step : table.get(key)!;
    at += step.length;
  }
  return out;
}

describe('openCharsmap', () => {
  const unit = fc.constantFrom('a', 'é', 'e', '\u0301', '\u0300', '①', '🙂', '🙃', '\0', ' ');
  const tables = fc
    .uniqueArray(
      fc.tuple(
        fc.string({ unit: unit.filter((each) => each !== '\0'), minLength: 1, maxLength: 3 }),
        fc.string({ unit: unit.filter((each) => each !== '\0'), maxLength: 3 }),
      ),
      { selector: ([key]) => key, minLength: 1, maxLength: 8 },
    )
    .map((list) => new Map(list));

  it('replaces the longest key at each place, and replaces nothing twice', () => {
    fc.assert(
      fc.property(tables, fc.string({ unit, maxLength: 12 }), (table, text) => {
        expect(openCharsmap(buildCharsmap(table))(text)).toBe(replaceLongest(text, table));
      }),
      { seed: 41, numRuns: 500 },
    );
  });

  it('replaces nothing without a table', () => {
    expect(openCharsmap(new Uint8Array(0))('ﬁ e\u0301')).toBe('ﬁ e\u0301');
  });

  it('finds no key that ends inside of a character', () => {
    const [first] = encoder.encode('é');
    const units = new Array(1024).fill(0);
    // Root to a block of children at 256; there a key of one byte, the first of two, with its value at 512.
    units[0] = 256 << 10;
    units[256 ^ first!] = first! | LEAF | ((256 ^ first! ^ 512) << 10);
    units[512] = VALUE;
    expect(openCharsmap(join(units, [0x78, 0]))('é')).toBe('é');
  });

  it('refuses a text that grows beyond any that fits', () => {
    const grow = openCharsmap(buildCharsmap(new Map([['a', 'a'.repeat(128)]])));
    expect(() => grow('a'.repeat(TEXT_LENGTH_MAX / 64))).toThrow(
      expect.objectContaining({ code: 'text_too_long' }),
    );
  });

  it('refuses what is damaged or leads nowhere, before any text', () => {
    const refused = (bytes: Uint8Array) =>
      expect(() => openCharsmap(bytes)).toThrow(
        expect.objectContaining({ name: 'AssayError', code: 'tokenizer_invalid' }),
      );
    const table = new Map([['ab', 'x']]);
    const good = buildCharsmap(table);
    expect(openCharsmap(good)('ab')).toBe('x');
    const header = (size: number) => {
      const bytes = good.slice();
      new DataView(bytes.buffer).setUint32(0, size, true);
      return bytes;
    };
    for (const size of [0, 6, 2 ** 31, 2 ** 32 - 4]) refused(header(size));
    for (const length of [1, 3, 4, 100]) refused(good.slice(0, length));
    refused(good.slice(0, -1));
    refused(new Uint8Array(CHARSMAP_BYTES_MAX + 1));
    const a = 'a'.charCodeAt(0);
    const shape = (
      change: Readonly<Record<number, number>>,
      texts: readonly number[] = [0x78, 0],
    ) =>
      join(
        Array.from({ length: 1024 }, (_, at) => change[at] ?? 0),
        texts,
      );
    const root = 256 << 10;
    const leaf = a | LEAF | ((256 ^ a ^ 512) << 10);
    expect(openCharsmap(shape({ 0: root, [256 ^ a]: leaf, 512: VALUE }))('a')).toBe('x');
    // The base of the root, and of a child, outside of the array, also by the shift of bit 9.
    refused(shape({ 0: 2048 << 10 }));
    refused(shape({ 0: root, [256 ^ a]: a | (2048 << 10) }));
    refused(shape({ 0: root, [256 ^ a]: a | 0x200 | (0x1f_ffff << 10) }));
    // A child whose children are its own siblings: "a", "aa", and so on without an end.
    refused(shape({ 0: root, [256 ^ a]: a | (a << 10) }));
    // Replacements that are outside, do not end, are too long, or are no text.
    refused(shape({ 0: root, [256 ^ a]: leaf, 512: VALUE | 2 }));
    refused(shape({ 0: root, [256 ^ a]: leaf, 512: VALUE }, [0x78]));
    refused(shape({ 0: root, [256 ^ a]: leaf, 512: VALUE }, [...new Array(129).fill(0x78), 0]));
    refused(shape({ 0: root, [256 ^ a]: leaf, 512: VALUE }, [0xff, 0]));
  });
});
