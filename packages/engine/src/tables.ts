/**
 * The constant tables: powers of two for softmax and sigmoid, turns for rotary positions. They are generated here from
 * square roots of integers alone (arithmetic.md, section 4), so no library's notion of `cos` or `exp` enters a result.
 */
import { isqrt, roundShift } from './integer.js';

/** Q62 factors 2^(-2^-k) for k = 0..16, each the square root of the one before. */
function halvingRoots(): bigint[] {
  const roots = [1n << 61n];
  for (let k = 1; k <= 16; k++) roots.push(isqrt(roots[k - 1]! << 62n));
  return roots;
}

/** 2^(-i / 2^last) in Q30 for i = 0..255: the product of the roots chosen by the bits of i. */
function powerTable(roots: readonly bigint[], last: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, i) => {
    let product = 1n << 62n;
    for (let bit = 0; bit < 8; bit++) {
      if ((i >> bit) & 1) product = (product * roots[last - bit]!) >> 62n;
    }
    return Number((product + (1n << 31n)) >> 32n);
  });
}

const ROOTS = halvingRoots();

/** T1[i] = 2^(-i / 2^8) in Q30. */
export const EXP2_HIGH: Uint32Array = powerTable(ROOTS, 8);

/** T2[i] = 2^(-i / 2^16) in Q30. */
export const EXP2_LOW: Uint32Array = powerTable(ROOTS, 16);

/** Cosine and sine of 1,024 angles, Q30, as two arrays. */
export type TurnTable = { readonly cos: Int32Array; readonly sin: Int32Array };

const TURN_BITS = 120n;
const ONE_TURN_UNIT = 1n << TURN_BITS;
const TURN_COUNT = 1024;

type Complex = { readonly cos: bigint; readonly sin: bigint };

/** Q120 cosine and sine of 2^-k turns for k = 1..20, by the half-angle formulas. */
function halfAngles(): Complex[] {
  const angles: Complex[] = [
    { cos: ONE_TURN_UNIT, sin: 0n },
    { cos: -ONE_TURN_UNIT, sin: 0n },
  ];
  for (let k = 2; k <= 20; k++) {
    const { cos } = angles[k - 1]!;
    angles.push({
      cos: isqrt(((ONE_TURN_UNIT + cos) << TURN_BITS) >> 1n),
      sin: isqrt(((ONE_TURN_UNIT - cos) << TURN_BITS) >> 1n),
    });
  }
  return angles;
}

/** Angles i * 2^-last turns for i = 0..1023: the product of the half angles chosen by the bits of i. */
function turnTable(angles: readonly Complex[], last: number): TurnTable {
  const cos = new Int32Array(TURN_COUNT);
  const sin = new Int32Array(TURN_COUNT);
  for (let i = 0; i < TURN_COUNT; i++) {
    let product: Complex = { cos: ONE_TURN_UNIT, sin: 0n };
    for (let bit = 0; bit < 10; bit++) {
      if ((i >> bit) & 1) product = multiplyTurns(product, angles[last - bit]!);
    }
    cos[i] = roundTurn(product.cos);
    sin[i] = roundTurn(product.sin);
  }
  return { cos, sin };
}

const multiplyTurns = (a: Complex, b: Complex): Complex => ({
  cos: (a.cos * b.cos - a.sin * b.sin) >> TURN_BITS,
  sin: (a.cos * b.sin + a.sin * b.cos) >> TURN_BITS,
});

const roundTurn = (x: bigint): number => Number((x + (1n << 89n)) >> 90n);

const ANGLES = halfAngles();

/** A[i]: i / 2^10 turns. */
export const TURNS_HIGH: TurnTable = turnTable(ANGLES, 10);

/** B[i]: i / 2^20 turns. */
export const TURNS_LOW: TurnTable = turnTable(ANGLES, 20);

/** exp2n(q): 2^(-q / 65536) in Q30, for q >= 0 in Q16; 0 from q = 32 * 65536 on. */
export function exp2n(q: bigint): bigint {
  const shift = q >> 16n;
  if (shift >= 32n) return 0n;
  const high = BigInt(EXP2_HIGH[Number((q >> 8n) & 255n)]!);
  const low = BigInt(EXP2_LOW[Number(q & 255n)]!);
  return roundShift((high * low + (1n << 29n)) >> 30n, Number(shift));
}

/** Cosine and sine of `phase` / 2^64 turns, Q30: the phase rounded to 20 bits, two table entries multiplied. */
export function cosSin(phase: bigint): Complex {
  const angle = Number(((phase + (1n << 43n)) >> 44n) & 0xfffffn);
  const high = turnAt(TURNS_HIGH, angle >> 10);
  const low = turnAt(TURNS_LOW, angle & 1023);
  return {
    cos: roundShift(high.cos * low.cos - high.sin * low.sin, 30),
    sin: roundShift(high.sin * low.cos + high.cos * low.sin, 30),
  };
}

const turnAt = (table: TurnTable, index: number): Complex => ({
  cos: BigInt(table.cos[index]!),
  sin: BigInt(table.sin[index]!),
});
