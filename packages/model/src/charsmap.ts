/**
 * SentencePiece's table of characters that are written in another way before a text is cut, mostly by NFKC: a double
 * array (Aoe 1989) in the layout of Darts-clone, then the replacements as UTF-8, each ended by a zero byte.
 *
 *     uint32 bytes of the array ‖ uint32 units ‖ replacements; little-endian
 *
 *     unit: bits 0-7 label, bit 8 has a value, bit 9 the offset is shifted by 8, bits 10-30 offset; or, where bit 31
 *     is set, bits 0-30 a place among the replacements
 *
 * A child lies at (base ^ byte), a value at the base. The whole array is read once, when the table is opened, so that
 * what is wrong with it is found then and not in somebody's text.
 */
import { modelError } from './errors.js';
import {
  CHARSMAP_BYTES_MAX,
  CHARSMAP_KEY_BYTES_MAX,
  CHARSMAP_VALUE_BYTES_MAX,
  TEXT_LENGTH_MAX,
} from './limits.js';

/** Replaces from left to right what the table has, the longest that begins at a place; an empty table replaces nothing. */
export function openCharsmap(bytes: Uint8Array): (text: string) => string {
  if (bytes.length === 0) return (text) => text;
  const table = readTable(bytes);
  return (text) => {
    const parts: string[] = [];
    let length = 0;
    for (let at = 0; at < text.length; ) {
      const found = longestKey(table, text, at);
      const part = found?.replacement ?? String.fromCodePoint(text.codePointAt(at)!);
      length += part.length;
      if (length > TEXT_LENGTH_MAX) throw tooLong(length);
      parts.push(part);
      at = found?.end ?? at + part.length;
    }
    return parts.join('');
  };
}

type Table = {
  readonly units: Uint32Array;
  /** Text by its place among the replacements. */
  readonly replacements: ReadonlyMap<number, string>;
};

/** A key that ends at a place of the text, and what stands for it. */
type Found = { readonly end: number; readonly replacement: string };

/** The longest key at a place of the text; one that ends inside of a character is none. */
function longestKey({ units, replacements }: Table, text: string, at: number): Found | undefined {
  let found: Found | undefined;
  let base = offsetOf(units[0]!);
  for (let end = at; end < text.length; ) {
    const point = text.codePointAt(end)!;
    end += point > 0xffff ? 2 : 1;
    let hasValue = false;
    for (const byte of utf8Of(point)) {
      const child = childOf(units, base, byte);
      if (child === undefined) return found;
      ({ base, hasValue } = child);
    }
    if (hasValue) found = { end, replacement: replacements.get(placeAt(units, base))! };
  }
  return found;
}

/** Where the children of a node begin, and whether a key ends there. */
type Child = { readonly base: number; readonly hasValue: boolean };

function childOf(units: Uint32Array, base: number, byte: number): Child | undefined {
  const at = base ^ byte;
  const unit = units[at];
  // A value has bit 31 set and is nobody's child; neither is the byte zero, whose place is that of the value.
  if (byte === 0 || unit === undefined || (unit & 0x8000_00ff) !== byte) return undefined;
  return { base: at ^ offsetOf(unit), hasValue: (unit & 0x100) !== 0 };
}

/** Bits 10-30, shifted by 8 if bit 9 is set; bits that leave the 32 are lost, as in Darts-clone. */
const offsetOf = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);

const placeAt = (units: Uint32Array, base: number): number => units[base]! & 0x7fff_ffff;

function utf8Of(point: number): readonly number[] {
  if (point < 0x80) return [point];
  const last = 0x80 | (point & 0x3f);
  if (point < 0x800) return [0xc0 | (point >> 6), last];
  const third = 0x80 | ((point >> 6) & 0x3f);
  if (point < 0x1_0000) return [0xe0 | (point >> 12), third, last];
  return [0xf0 | (point >> 18), 0x80 | ((point >> 12) & 0x3f), third, last];
}

/** The table with every replacement that a way through its array leads to. */
function readTable(bytes: Uint8Array): Table {
  const { units, stored } = splitParts(bytes);
  const replacements = new Map<number, string>();
  // Bytes of the longest way on from a node, plus one; ways share their ends, so each node is looked at once.
  const heights = new Uint8Array(units.length);
  const visit = (base: number, depth: number): number => {
    if (base < 0 || base >= units.length) throw invalid('A node is outside of its array.', base);
    if (depth + heights[base]! > CHARSMAP_KEY_BYTES_MAX) {
      throw invalid('Its array has a way without an end, or too long a one.', base);
    }
    if (heights[base] !== 0) return heights[base]!;
    let height = 1;
    for (let byte = 1; byte < 256; byte++) {
      const child = childOf(units, base, byte);
      if (child === undefined) continue;
      height = Math.max(height, 1 + visit(child.base, depth + 1));
      if (!child.hasValue) continue;
      const place = placeAt(units, child.base);
      if (!replacements.has(place)) replacements.set(place, replacementAt(stored, place));
    }
    heights[base] = height;
    return height;
  };
  visit(offsetOf(units[0]!), 0);
  return { units, replacements };
}

function splitParts(bytes: Uint8Array) {
  if (bytes.length > CHARSMAP_BYTES_MAX) {
    throw invalid(`It has more than ${CHARSMAP_BYTES_MAX} bytes.`, bytes.length);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const size = bytes.length < 4 ? 0 : view.getUint32(0, true);
  if (size === 0 || size % 4 !== 0 || size > bytes.length - 4) {
    throw invalid('Its array does not fit into it.', size);
  }
  const units = new Uint32Array(size / 4);
  for (let at = 0; at < units.length; at++) units[at] = view.getUint32(4 + 4 * at, true);
  return { units, stored: bytes.subarray(4 + size) };
}

function replacementAt(stored: Uint8Array, from: number): string {
  const end = stored.indexOf(0, from);
  if (from >= stored.length || end < 0) throw invalid('A replacement is outside of it.', from);
  if (end - from > CHARSMAP_VALUE_BYTES_MAX) {
    throw invalid(`A replacement has more than ${CHARSMAP_VALUE_BYTES_MAX} bytes.`, end - from);
  }
  return textOf(stored.subarray(from, end));
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    throw invalid('A replacement is not UTF-8.', bytes.join(' '));
  }
}

const invalid = (message: string, value: unknown) =>
  modelError({
    code: 'tokenizer_invalid',
    message: `The table of characters (precompiled_charsmap) is refused. ${message}`,
    value,
  });

const tooLong = (length: number) =>
  modelError({
    code: 'text_too_long',
    message: `The text has more than ${TEXT_LENGTH_MAX} UTF-16 units once its characters are replaced.`,
    value: length,
  });
