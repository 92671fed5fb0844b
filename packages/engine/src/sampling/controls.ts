/**
 * Controls act on a row of logits before anything else does (arithmetic.md, section 7.1): repetition, presence
 * and frequency, bias, then the grammar's mask. Doubles hold every intermediate exactly. This module knows ids and
 * numbers; where they come from, and what a mask means, it does not.
 */
import { EngineError } from '../engine-error.js';
import { multiplyShift16 } from './numbers.js';

/** Numbers on the grid of section 7.1: Q16, in natural units like the logits. */
export type LogitControls = {
  /** Q16 divisor of positive logits of ids that occurred, multiplier of negative ones; 2^16 is off. */
  readonly repetition: number;
  readonly presence: number;
  readonly frequency: number;
  readonly bias: readonly (readonly [id: number, amount: number])[];
};

/** The logit of an id that may not be chosen: below every value of the format Q16. */
export const BARRED = -(2 ** 31);

const Q16_MAX = 2 ** 31 - 1;

/** Which ids occurred, and how often in the answer. */
export type TokenHistory = {
  /** Ids in prompt or answer. */
  readonly seen: ReadonlySet<number>;
  /** Times that an id is in the answer. */
  readonly counts: ReadonlyMap<number, number>;
  /** Appends a token of the answer. */
  readonly append: (id: number) => void;
};

export function createHistory(inputTokens: Iterable<number>): TokenHistory {
  const seen = new Set(inputTokens);
  const counts = new Map<number, number>();
  return {
    seen,
    counts,
    append(id) {
      seen.add(id);
      counts.set(id, (counts.get(id) ?? 0) + 1);
    },
  };
}

/**
 * The row as the sampler sees it, a new array.
 *
 * @param mask one byte per id, 0 for ids that may not be chosen; all may without one
 * @example nextToken(controlLogits(row, { controls, history, mask }), sampler, seed, position)
 */
export function controlLogits(
  logits: Int32Array,
  options: {
    readonly controls: LogitControls;
    readonly history: TokenHistory;
    readonly mask?: Uint8Array | undefined;
  },
): Int32Array {
  const { controls, history, mask } = options;
  const row = logits.slice();
  if (controls.repetition !== 65_536) {
    for (const id of history.seen) {
      if (id < row.length) row[id] = repeated(row[id]!, controls.repetition);
    }
  }
  if (controls.presence !== 0 || controls.frequency !== 0) {
    for (const [id, count] of history.counts) {
      const penalty = controls.presence + count * controls.frequency;
      if (id < row.length) row[id] = saturate(row[id]! - penalty);
    }
  }
  for (const [id, amount] of controls.bias) {
    if (id < row.length) row[id] = saturate(row[id]! + amount);
  }
  if (mask !== undefined) bar(row, mask);
  return row;
}

function bar(row: Int32Array, mask: Uint8Array): void {
  if (mask.length !== row.length) throw maskInvalid(mask.length, row.length);
  let open = 0;
  for (let id = 0; id < row.length; id++) {
    if (mask[id] === 0) row[id] = BARRED;
    else open++;
  }
  if (open === 0) throw maskInvalid(0, row.length);
}

/** A positive logit is divided, a negative one multiplied, so that both fall if the penalty is above one. */
function repeated(logit: number, repetition: number): number {
  if (logit < 0) return saturate(multiplyShift16(logit, repetition));
  // Below 2^47 + 2^31 over a number below 2^32: the double's floor is that of the exact quotient.
  return saturate(Math.floor((logit * 65_536 + Math.floor(repetition / 2)) / repetition));
}

/** C(x, 31). */
const saturate = (value: number): number => Math.min(Q16_MAX, Math.max(-Q16_MAX, value));

const maskInvalid = (open: number, width: number): EngineError =>
  new EngineError({
    code: 'mask_invalid',
    message: `A mask leaves ${open} of ${width} ids.`,
    fault: 'user',
    value: open,
    remedy: 'A mask has one byte per id and leaves at least one id.',
  });
