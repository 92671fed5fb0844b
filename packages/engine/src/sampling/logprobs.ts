/**
 * Log probabilities of a row of logits by integers alone (arithmetic.md, section 7.2), so that everybody who has the
 * row has the same numbers. They speak of the model: controls, temperature and cuts are not in them.
 */
import { bitLength, log2b, roundShift } from '../integer.js';
import { powerOfTwo, roundHalfEven } from '../rounding.js';
import { exp2nNumber } from './numbers.js';

/** Natural logarithm of an id's share, Q16 and never above 0. */
export type Logprob = { readonly id: number; readonly logprob: number };

export type Logprobs = { readonly chosen: Logprob; readonly top: readonly Logprob[] };

/** log2(e) in Q30, as in section 5.10. */
const LOG2_E_Q30 = 1_549_082_005;

/** ln(2) in Q30. */
const LN_2_Q30 = 744_261_118n;

/** Shares far below 2^-32 of the largest weigh nothing: exp2n ends there. */
const FARTHEST_Q16 = 32 * 65_536;

/** Log probability of `chosen` and of the `count` largest logits, largest first, lower id first on ties. */
export function logprobsOf(logits: Int32Array, chosen: number, count: number): Logprobs {
  const top = largestIds(logits, count);
  const largest = logits[top[0] ?? largestIds(logits, 1)[0]!]!;
  const sum = logSum(logits, largest);
  const of = (id: number): Logprob => ({ id, logprob: logits[id]! - largest - sum });
  return { chosen: of(chosen), top: top.map(of) };
}

/** ln of the sum of the weights over the largest one, Q16. */
function logSum(logits: Int32Array, largest: number): number {
  let total = 0;
  for (const logit of logits) total += weight(largest - logit);
  const sum = BigInt(total);
  const shift = Math.max(0, bitLength(sum) - 32);
  const log2 = log2b(sum >> BigInt(shift)) + (BigInt(shift - 30) << 24n);
  return Number(roundShift(log2 * LN_2_Q30, 38));
}

/** exp2n(R(distance * log2(e), 30)) for a distance below 2^32. */
function weight(distance: number): number {
  // SAFETY: log2(e) is above 1, so a distance beyond the range of exp2n stays beyond it.
  if (distance >= FARTHEST_Q16) return 0;
  // Below 2^21 times below 2^31, and the division only moves the point: both exact.
  return exp2nNumber(roundHalfEven((distance * LOG2_E_Q30) / powerOfTwo(30)));
}

/** Ids of the `count` largest logits, largest first. */
function largestIds(logits: Int32Array, count: number): readonly number[] {
  const ids: number[] = [];
  for (let id = 0; id < logits.length; id++) {
    if (ids.length === count && (count === 0 || logits[id]! <= logits[ids[count - 1]!]!)) continue;
    let at = ids.length;
    while (at > 0 && logits[ids[at - 1]!]! < logits[id]!) at--;
    ids.splice(at, 0, id);
    if (ids.length > count) ids.pop();
  }
  return ids;
}
