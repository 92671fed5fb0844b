/**
 * The instructions of a WebAssembly binary, read from its bytes: what a build really contains, whatever its source and
 * its compiler's options say. It knows the formats of the WebAssembly specification, version 2, with threads and
 * relaxed SIMD, and nothing of what is in a module.
 */

/** An opcode; those behind a prefix as prefix * 65,536 + number. */
export type Opcode = number;

export const PREFIX = { miscellaneous: 0xfc, simd: 0xfd, atomics: 0xfe } as const;

export const opcodeOf = (prefix: number, number: number): Opcode => prefix * 0x1_0000 + number;

const CODE_SECTION = 10;
const MAGIC_BYTES = 8;

/** A place in the bytes. */
type Cursor = { readonly bytes: Uint8Array; at: number };

/** How often each opcode occurs in the bodies of a module's functions. Throws for bytes that it cannot follow. */
export function countOpcodes(bytes: Uint8Array): ReadonlyMap<Opcode, number> {
  const counts = new Map<Opcode, number>();
  const cursor: Cursor = { bytes, at: MAGIC_BYTES };
  while (cursor.at < bytes.length) {
    const section = readByte(cursor);
    const size = readUnsigned(cursor);
    const end = cursor.at + size;
    if (section === CODE_SECTION) countFunctions(cursor, counts);
    else cursor.at = end;
    if (cursor.at !== end) throw new Error(`section ${section} ends at ${cursor.at}, not ${end}`);
  }
  return counts;
}

function countFunctions(cursor: Cursor, counts: Map<Opcode, number>): void {
  for (let left = readUnsigned(cursor); left > 0; left--) {
    const size = readUnsigned(cursor);
    const end = cursor.at + size;
    for (let groups = readUnsigned(cursor); groups > 0; groups--) {
      readUnsigned(cursor);
      skip(cursor, 1);
    }
    while (cursor.at < end) {
      const opcode = readInstruction(cursor);
      counts.set(opcode, (counts.get(opcode) ?? 0) + 1);
    }
    if (cursor.at !== end) throw new Error(`a function ends at ${cursor.at}, not ${end}`);
  }
}

/** Reads one instruction with its immediates. */
function readInstruction(cursor: Cursor): Opcode {
  const first = readByte(cursor);
  const { simd, miscellaneous, atomics } = PREFIX;
  if (first !== simd && first !== miscellaneous && first !== atomics) {
    skipPlain(cursor, first);
    return first;
  }
  const number = readUnsigned(cursor);
  if (first === simd) skipSimd(cursor, number);
  else if (first === atomics) skipAtomic(cursor, number);
  else skipMiscellaneous(cursor, number);
  return opcodeOf(first, number);
}

/** Opcodes without a prefix that nothing follows; numbers are those of the specification's index of instructions. */
const BARE: ReadonlySet<number> = new Set([
  ...[0x00, 0x01, 0x05, 0x0b, 0x0f, 0x1a, 0x1b, 0xd1],
  ...Array.from({ length: 0xc4 - 0x45 + 1 }, (_, i) => 0x45 + i),
]);

/** Blocks, branches, calls, variables, memory size, constants, references. */
const FOLLOWED_BY_ONE: ReadonlySet<number> = new Set([
  ...[0x02, 0x03, 0x04, 0x0c, 0x0d, 0x10, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26],
  ...[0x3f, 0x40, 0x41, 0x42, 0xd0, 0xd2],
]);

const BRANCH_TABLE = 0x0e;
const CALL_INDIRECT = 0x11;
const SELECT_TYPED = 0x1c;

/** Bytes of float constants. */
const CONSTANT_BYTES: ReadonlyMap<number, number> = new Map([
  [0x43, 4],
  [0x44, 8],
]);

function skipPlain(cursor: Cursor, opcode: number): void {
  const bytes = CONSTANT_BYTES.get(opcode);
  if (bytes === undefined) skipNumbers(cursor, numbersAfter(cursor, opcode));
  else skip(cursor, bytes);
}

/** How many numbers follow an opcode without a prefix. */
function numbersAfter(cursor: Cursor, opcode: number): number {
  if (BARE.has(opcode)) return 0;
  if (FOLLOWED_BY_ONE.has(opcode)) return 1;
  const isAccess = opcode >= 0x28 && opcode <= 0x3e;
  if (isAccess || opcode === CALL_INDIRECT) return 2;
  if (opcode === BRANCH_TABLE) return readUnsigned(cursor) + 1;
  if (opcode === SELECT_TYPED) return readUnsigned(cursor);
  throw new Error(`unknown opcode ${opcode.toString(16)}`);
}

/** Highest number of a SIMD instruction, relaxed ones included. */
const SIMD_MAX = 0x113;

function skipSimd(cursor: Cursor, number: number): void {
  if (number > SIMD_MAX) throw new Error(`unknown SIMD instruction ${number.toString(16)}`);
  if (number <= 0x0b || number === 0x5c || number === 0x5d) skipNumbers(cursor, 2);
  else if (number === 0x0c || number === 0x0d) skip(cursor, 16);
  else if (number >= 0x15 && number <= 0x22) skip(cursor, 1);
  else if (number >= 0x54 && number <= 0x5b) {
    skipNumbers(cursor, 2);
    skip(cursor, 1);
  }
}

const FENCE = 0x03;

function skipAtomic(cursor: Cursor, number: number): void {
  if (number === FENCE) skip(cursor, 1);
  else skipNumbers(cursor, 2);
}

/** Saturating conversions have no immediates; memory instructions one or two. */
function skipMiscellaneous(cursor: Cursor, number: number): void {
  if (number <= 0x07) return;
  const isPair = number === 0x08 || number === 0x0a || number === 0x0c || number === 0x0e;
  skipNumbers(cursor, isPair ? 2 : 1);
}

function readByte(cursor: Cursor): number {
  const byte = cursor.bytes[cursor.at++];
  if (byte === undefined) throw new Error('the bytes end in the middle');
  return byte;
}

/** An unsigned LEB128 below 2^32. */
function readUnsigned(cursor: Cursor): number {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = readByte(cursor);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
  }
}

/** Numbers in LEB128, signed or not: their bytes are marked alike. */
function skipNumbers(cursor: Cursor, count: number): void {
  for (let left = count; left > 0; left--) while (readByte(cursor) >= 0x80);
}

function skip(cursor: Cursor, count: number): void {
  cursor.at += count;
}
