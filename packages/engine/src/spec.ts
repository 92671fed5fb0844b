/**
 * The identity of the arithmetic: SHA-256 over the normative part of `docs/reference/arithmetic.md` and every golden
 * vector. Whoever signs a result names this id, so a changed rule can never judge a result made under an older one.
 */
import { byteWriter, concatBytes } from './bytes.js';
import { EngineError } from './engine-error.js';
import type { HashFunction } from './merkle.js';

/** Name and version of the arithmetic, as in the document's title. */
export const SPEC_NAME = 'flex16-w8a16-v0';

/** {@link specId} of the committed document and vectors under SHA-256; `spec.test.ts` recomputes it. */
export const SPEC_ID = '0x9f202fa95346df15d3e1c5ace253eb66b5f2f51b4b1457b7fec3263255bd5ea2';

const BEGIN = '<!-- normative: begin -->';
const END = '<!-- normative: end -->';

export type SpecFile = { readonly name: string; readonly bytes: Uint8Array };

/**
 * H(name ‖ H(normative part) ‖ for each vector file, by name: name ‖ H(bytes)).
 *
 * @param document bytes of arithmetic.md; only what stands between its two normative markers counts
 * @param vectors files of vectors/arithmetic, in any order
 */
export function specId(
  options: { readonly document: Uint8Array; readonly vectors: readonly SpecFile[] },
  hash: HashFunction,
): Uint8Array {
  const sorted = [...options.vectors].sort((a, b) => (a.name < b.name ? -1 : 1));
  const parts = [ascii(SPEC_NAME), hash(normativePart(options.document))];
  for (const file of sorted) parts.push(ascii(file.name), hash(file.bytes));
  return hash(concatBytes(parts));
}

/** The bytes between the first begin marker and the last end marker. */
export function normativePart(document: Uint8Array): Uint8Array {
  const begin = find(document, BEGIN);
  const end = find(document, END);
  if (begin >= 0 && end > begin) return document.subarray(begin + BEGIN.length, end);
  throw new EngineError({
    code: 'spec_markers_missing',
    message: 'The specification has no normative part.',
    fault: 'user',
    remedy: `Keep the markers ${BEGIN} and ${END}.`,
  });
}

function ascii(text: string): Uint8Array {
  const out = byteWriter();
  out.ascii(text);
  return out.bytes();
}

function find(bytes: Uint8Array, text: string): number {
  const wanted = ascii(text).subarray(1);
  for (let at = 0; at + wanted.length <= bytes.length; at++) {
    if (wanted.every((byte, i) => bytes[at + i] === byte)) return at;
  }
  return -1;
}
