/** What SentencePiece vocabularies of both kinds share: spaces as U+2581, entries for single bytes, entries as bytes. */
import { ENTRY_TYPE, type Vocabulary } from './vocabulary.js';

/** How SentencePiece writes a space. */
export const SPACE = '\u2581';

const BYTE_ENTRY = /^<0x([0-9A-F]{2})>$/;

/** Ids of the entries for single bytes, by byte. */
export function byteEntries(vocabulary: Vocabulary): ReadonlyMap<number, number> {
  const ids = new Map<number, number>();
  vocabulary.entries.forEach((entry, id) => {
    const byte = BYTE_ENTRY.exec(entry)?.[1];
    if (vocabulary.types[id] !== ENTRY_TYPE.byte || byte === undefined) return;
    ids.set(Number.parseInt(byte, 16), id);
  });
  return ids;
}

/** The bytes that an entry adds to a text. */
export function pieceBytes(
  vocabulary: Vocabulary,
  byteIds: ReadonlyMap<number, number>,
): (id: number) => Uint8Array {
  const encoder = new TextEncoder();
  const single = new Map([...byteIds].map(([byte, id]) => [id, Uint8Array.of(byte)]));
  return (id) => single.get(id) ?? encoder.encode(vocabulary.entries[id]!.replaceAll(SPACE, ' '));
}
