/** What the committed WebAssembly binaries contain, read from their bytes: no relaxed SIMD, floats only where allowed. */
import { describe, expect, it } from 'vitest';
import { TRACE_BASE64 } from '../trace/generated/trace-wasm.js';
import { SINGLE_BASE64 } from './generated/single.js';
import { THREADS_BASE64 } from './generated/threads.js';
import { countOpcodes, type Opcode, opcodeOf, PREFIX } from './testing/opcodes.js';

const simd = (number: number): Opcode => opcodeOf(PREFIX.simd, number);

/**
 * Doubles in kernels, by the names of the specification. Each use is exact, or an estimate that integers correct, as
 * the comments in `assembly` show: the square root of `isqrt` and the quotients of `inversesQ60` are estimates at most
 * one off; weights of the softmax are integers below 2^53 times powers of two, rounded once.
 */
const ROOTS = {
  'f64.sqrt': 0x9f,
  'f64.convert_i64_s': 0xb9,
  'i64.trunc_sat_f64_s': opcodeOf(PREFIX.miscellaneous, 0x06),
};
const WEIGHTS = {
  'f64.add': 0xa0,
  'f64x2.extract_lane': simd(0x21),
  'f64x2.nearest': simd(0x94),
  'f64x2.add': simd(0xf0),
  'f64x2.sub': simd(0xf1),
  'f64x2.mul': simd(0xf2),
};
const QUOTIENTS = {
  'f64x2.div': simd(0xf3),
  'i32x4.trunc_sat_f64x2_u_zero': simd(0xfd),
  'f64x2.convert_low_i32x4_u': simd(0xff),
};
/** Helpers that wait for work at a meeting pass their time with roots, which nothing reads. */
const WAITING = { 'f64.const': 0x44, 'f64.lt': 0x63 };

/** A trace makes no root and no quotient of its own: those of the pass are in its tensors. */
const TRACE_ROOTS = {
  'i64.trunc_sat_f64_s': opcodeOf(PREFIX.miscellaneous, 0x06),
};

const BINARIES = [
  { name: 'single', text: SINGLE_BASE64, floats: { ...ROOTS, ...WEIGHTS, ...QUOTIENTS } },
  {
    ...{ name: 'threads', text: THREADS_BASE64 },
    floats: { ...ROOTS, ...WEIGHTS, ...QUOTIENTS, ...WAITING },
  },
  { name: 'trace', text: TRACE_BASE64, floats: { ...TRACE_ROOTS, ...WEIGHTS } },
] as const;

const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'base64');

const isBetween = (opcode: Opcode, from: Opcode, to: Opcode): boolean =>
  opcode >= from && opcode <= to;

/** Ranges of everything that reads or makes a float, from the specification's index of instructions. */
const FLOAT_RANGES: readonly (readonly [Opcode, Opcode])[] = [
  ...([
    [0x2a, 0x2b],
    [0x38, 0x39],
    [0x43, 0x44],
    [0x5b, 0x66],
    [0x8b, 0xa6],
  ] as const),
  ...([
    [0xa8, 0xab],
    [0xae, 0xb1],
    [0xb2, 0xbf],
  ] as const),
  [opcodeOf(PREFIX.miscellaneous, 0x00), opcodeOf(PREFIX.miscellaneous, 0x07)],
  ...(
    [
      [0x13, 0x14],
      [0x1f, 0x22],
      [0x41, 0x4c],
      [0x5e, 0x5f],
      [0x67, 0x6a],
    ] as const
  ).map(([from, to]) => [simd(from), simd(to)] as const),
  ...(
    [
      [0x74, 0x75],
      [0x7a, 0x7a],
      [0x94, 0x94],
      [0xe0, 0xff],
    ] as const
  ).map(([from, to]) => [simd(from), simd(to)] as const),
];

const isFloat = (opcode: Opcode): boolean =>
  FLOAT_RANGES.some(([from, to]) => isBetween(opcode, from, to));

/** Their results are the machine's choice. */
const isRelaxed = (opcode: Opcode): boolean => isBetween(opcode, simd(0x100), simd(0x113));

/** Sums and products of 8 and 16 bits that saturate; narrowing is none of them, its inputs are in range. */
const SATURATING = [0x6f, 0x70, 0x72, 0x73, 0x82, 0x8f, 0x90, 0x92, 0x93].map(simd);

const hexOf = (opcodes: Iterable<Opcode>): readonly string[] =>
  [...opcodes].map((opcode) => opcode.toString(16)).sort();

/** A module with one function of these bytes. */
function moduleOf(...body: readonly number[]): Uint8Array {
  const code = [0, ...body, 0x0b];
  const header = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  return Uint8Array.from([...header, 10, code.length + 2, 1, code.length, ...code]);
}

describe.each(BINARIES)('the binary $name', ({ text, floats }) => {
  const found = [...countOpcodes(bytesOf(text)).keys()];

  it('is what an engine takes', () => {
    expect(WebAssembly.validate(new Uint8Array(bytesOf(text)))).toBe(true);
    expect(found.length).toBeGreaterThan(100);
  });

  it('has no relaxed SIMD, and no sum that saturates', () => {
    expect(hexOf(found.filter(isRelaxed))).toEqual([]);
    expect(hexOf(found.filter((opcode) => SATURATING.includes(opcode)))).toEqual([]);
  });

  it('has exactly the float instructions that are allowed', () => {
    expect(hexOf(found.filter(isFloat))).toEqual(hexOf(Object.values(floats)));
  });
});

describe('countOpcodes', () => {
  it('counts every instruction, and is not led astray by what stands in immediates', () => {
    // i32.const -1, v128.const of bytes that look like a relaxed instruction, br_table, then the end.
    const constant = Array.from({ length: 16 }, (_, i) => [0xfd, 0x80, 0x02][i % 3]!);
    const table = [0x0e, 2, 0, 0x80, 0x01, 0];
    const counts = countOpcodes(moduleOf(0x41, 0x7f, 0xfd, 0x0c, ...constant, ...table));
    expect([...counts]).toEqual([
      [0x41, 1],
      [simd(0x0c), 1],
      [0x0e, 1],
      [0x0b, 1],
    ]);
  });

  it('finds relaxed, saturating and float instructions where there are some', () => {
    // i16x8.relaxed_dot_i8x16_i7x16_s, i16x8.add_sat_s, f32x4.add, f64.mul
    const body = [0xfd, 0x92, 0x02, 0xfd, 0x8f, 0x01, 0xfd, 0xe4, 0x01, 0xa2];
    const found = [...countOpcodes(moduleOf(...body)).keys()];
    expect(hexOf(found.filter(isRelaxed))).toEqual(['fd0112']);
    expect(hexOf(found.filter((opcode) => SATURATING.includes(opcode)))).toEqual(['fd008f']);
    expect(hexOf(found.filter(isFloat))).toEqual(['a2', 'fd00e4']);
  });

  it('refuses what it cannot follow', () => {
    expect(() => countOpcodes(moduleOf(0xfd, 0x94, 0x02))).toThrow(/unknown SIMD/);
    expect(() => countOpcodes(moduleOf(0x06))).toThrow(/unknown opcode/);
    expect(() => countOpcodes(moduleOf(0x41).subarray(0, 12))).toThrow(/end in the middle/);
  });
});
