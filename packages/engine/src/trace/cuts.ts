/**
 * The cuts of top-k and top-p as a trace claims them: the last token that each keeps, and the sums over parts of the
 * logits that prove it (arithmetic.md 7.3, 7.4; `contracts/dispute/Sampler.sol`). It decides nothing: tokens are chosen
 * by the sampler.
 */
import { chachaBlock, chachaKey } from '../chacha.js';
import { log2b, roundShift } from '../integer.js';
import type { SamplerSettings } from '../sampler.js';
import { exp2n } from '../tables.js';
import { CUT_SUMS, type Cuts, SUM_ELEMENTS } from './layout.js';

/** A token with its logit; tokens are ordered by larger logit, then lower id. */
export type LogitToken = { readonly id: number; readonly logit: number };

/** What a row of logits claims: largest logit, and the last tokens kept, where a cut is on. */
export type CutRow = {
  readonly vocabularySize: number;
  readonly top: LogitToken;
  readonly rankCut: LogitToken;
  readonly shareCut: LogitToken;
};

/** True if (logit, id) comes before `cut` or is it. */
export const isUpTo = ({ logit, id }: LogitToken, cut: LogitToken): boolean =>
  logit > cut.logit || (logit === cut.logit && id <= cut.id);

/** 7.2 exp2n(largest z - z); a logit above the largest weighs nothing, as in the EVM. */
export function weightOfLogit(logit: number, topLogit: number, tau: number): bigint {
  const distance = scaled(topLogit, tau) - scaled(logit, tau);
  return distance < 0n ? 0n : exp2n(distance);
}

/** 7.2 z = R(logit * tau, 16). */
export const scaled = (logit: number, tau: number): bigint =>
  roundShift(BigInt(logit) * BigInt(tau), 16);

/** Ids of the largest logit and of the last tokens that the claimed cuts keep. */
export function cutsOf(
  logits: Int32Array,
  { tau, topK, topP }: SamplerSettings,
  cuts: Cuts,
): { top: number; rankCut: number | undefined; shareCut: number | undefined } {
  const order = Array.from(logits.keys());
  let top = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[top]!) top = id;
  if (!cuts.rank && !cuts.share) return { top, rankCut: undefined, shareCut: undefined };
  order.sort((a, b) => logits[b]! - logits[a]! || a - b);
  const ranked = cuts.rank ? order.slice(0, topK) : order;
  const rankCut = cuts.rank ? ranked.at(-1) : undefined;
  if (!cuts.share) return { top, rankCut, shareCut: undefined };
  const weights = ranked.map((id) => weightOfLogit(logits[id]!, logits[top]!, tau));
  const share = BigInt(topP) * weights.reduce((sum, weight) => sum + weight, 0n);
  let reached = 0n;
  let count = 0;
  while (reached << 30n < share) reached += weights[count++]!;
  return { top, rankCut, shareCut: ranked[count - 1] };
}

/** What the logits from id `first` on add to rank count, rank sum and share sum. */
export function partialCutSums(
  logits: ArrayLike<number>,
  first: number,
  options: { readonly row: CutRow; readonly tau: number; readonly cuts: Cuts },
): [rankCount: bigint, rankSum: bigint, shareSum: bigint] {
  const { row, tau, cuts } = options;
  const sums: [bigint, bigint, bigint] = [0n, 0n, 0n];
  for (let i = 0; i < logits.length; i++) {
    const token = { id: first + i, logit: logits[i]! };
    if (cuts.rank) {
      if (!isUpTo(token, row.rankCut)) continue;
      sums[0] += 1n;
    }
    if (!cuts.share) continue;
    const weight = weightOfLogit(token.logit, row.top.logit, tau);
    sums[1] += weight;
    if (isUpTo(token, row.shareCut)) sums[2] += weight;
  }
  return sums;
}

/** The sums of every part of a row, part-major. */
export function allCutSums(
  logits: Int32Array,
  options: { readonly row: CutRow; readonly tau: number; readonly cuts: Cuts },
): BigInt64Array {
  const parts = Math.ceil(logits.length / SUM_ELEMENTS);
  const sums = new BigInt64Array(CUT_SUMS * parts);
  for (let part = 0; part < parts; part++) {
    const first = part * SUM_ELEMENTS;
    const run = logits.subarray(first, first + SUM_ELEMENTS);
    sums.set(partialCutSums(run, first, options), CUT_SUMS * part);
  }
  return sums;
}

/** Totals of the parts. */
export function cutSums(parts: BigInt64Array): readonly bigint[] {
  const totals = [0n, 0n, 0n];
  parts.forEach((sum, i) => {
    totals[i % CUT_SUMS]! += sum;
  });
  return totals;
}

/** 7.3, 7.4 True if the totals make the claimed cuts the right ones. */
export function cutsAreRight(
  { tau, topK, topP }: SamplerSettings,
  { row, cuts }: { readonly row: CutRow; readonly cuts: Cuts },
  [rankCount, rankSum, shareSum]: readonly bigint[],
): boolean {
  if (cuts.rank && rankCount !== BigInt(topK)) return false;
  if (!cuts.share) return true;
  if (cuts.rank && !isUpTo(row.shareCut, row.rankCut)) return false;
  const last = weightOfLogit(row.shareCut.logit, row.top.logit, tau);
  const share = BigInt(topP) * rankSum!;
  return last <= shareSum! && shareSum! << 30n >= share && (shareSum! - last) << 30n < share;
}

/** 7 True if `chosen` may be the token, as far as `other` shows it: it is kept, and `other` is not kept or not better. */
export function isChosen(
  settings: SamplerSettings,
  draw: {
    readonly row: CutRow;
    readonly cuts: Cuts;
    readonly seed: Uint8Array;
    readonly position: number;
  },
  { chosen, other }: { readonly chosen: LogitToken; readonly other: LogitToken },
): boolean {
  if (!isKept(settings, draw, chosen)) return false;
  if (!isKept(settings, draw, other)) return true;
  const score = ({ id, logit }: LogitToken): bigint =>
    settings.tau === 0 ? BigInt(logit) : scaled(logit, settings.tau) - noiseOf(draw, id);
  const [a, b] = [score(other), score(chosen)];
  return !(a > b || (a === b && other.id < chosen.id));
}

/** 7.3 to 7.5 */
function isKept(
  { tau, minP }: SamplerSettings,
  { row, cuts }: { readonly row: CutRow; readonly cuts: Cuts },
  token: LogitToken,
): boolean {
  if (tau === 0) return true;
  if (cuts.rank && !isUpTo(token, row.rankCut)) return false;
  if (cuts.share && !isUpTo(token, row.shareCut)) return false;
  const least = BigInt(Math.min(minP, 2 ** 30));
  return weightOfLogit(token.logit, row.top.logit, tau) >= least;
}

/** 7.6 The noise of a token, Q16. */
function noiseOf({ seed, position }: { seed: Uint8Array; position: number }, id: number): bigint {
  const block = new Uint32Array(16);
  chachaBlock(chachaKey(seed), id >>> 4, { nonce: [position, 0, 0], block });
  const depth = 2n ** 29n - log2b(BigInt((block[id & 15]! | 1) >>> 0));
  return log2b(depth < 1n ? 1n : depth) >> 8n;
}
