/**
 * The cuts of top-k and top-p as a trace claims them: the last token that each keeps, and the sums over parts of the
 * logits that prove it (arithmetic.md 7.3, 7.4; `contracts/dispute/Sampler.sol`). It decides nothing: tokens are chosen
 * by the sampler.
 */
import { chachaBlock, chachaKey } from '../chacha.js';
import { largestLogit, type SamplerSettings } from '../sampler.js';
import { exp2nNumber, log2bNumber, multiplyShift16 } from '../sampling/numbers.js';
import { CUT_SUMS, type Cuts, claimedCuts, SUM_ELEMENTS, type TraceJob } from './layout.js';

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
export const isUpTo = (logit: number, id: number, cut: LogitToken): boolean =>
  logit > cut.logit || (logit === cut.logit && id <= cut.id);

/** 7.2 exp2n(largest z - z), Q30; a logit above the largest weighs nothing, as in the EVM. */
export function weightOfLogit(logit: number, topLogit: number, tau: number): number {
  const distance = multiplyShift16(topLogit, tau) - multiplyShift16(logit, tau);
  return distance < 0 ? 0 : exp2nNumber(distance);
}

/** Ids of the largest logit and of the last tokens that the claimed cuts keep. */
export function cutsOf(
  logits: Int32Array,
  { tau, topK, topP }: SamplerSettings,
  cuts: Cuts,
): { top: number; rankCut: number | undefined; shareCut: number | undefined } {
  const top = largestLogit(logits);
  if (!cuts.rank && !cuts.share) return { top, rankCut: undefined, shareCut: undefined };
  const weight = (id: number) => weightOfLogit(logits[id]!, logits[top]!, tau);
  const ranked = cuts.rank
    ? largestIds(logits, topK)
    : rankIds(
        logits,
        Array.from(logits.keys()).filter((id) => weight(id) > 0),
      );
  const rankCut = cuts.rank ? ranked.at(-1) : undefined;
  if (!cuts.share) return { top, rankCut, shareCut: undefined };
  const weights = ranked.map(weight);
  const share = BigInt(topP) * BigInt(weights.reduce((sum, each) => sum + each, 0));
  let reached = 0;
  let count = 0;
  while (BigInt(reached) << 30n < share) reached += weights[count++]!;
  return { top, rankCut, shareCut: ranked[count - 1] };
}

/** Largest logit and last tokens kept; the first id with logit 0 stands for a cut that is off. */
export type LogitCuts = Pick<CutRow, 'top' | 'rankCut' | 'shareCut'>;

/** What a row of logits claims in this job. */
export function logitCuts(logits: Int32Array, job: TraceJob): LogitCuts {
  const cuts = claimedCuts(job, logits.length);
  const { top, rankCut, shareCut } = cutsOf(logits, job.sampler, cuts);
  const token = (id: number | undefined): LogitToken =>
    id === undefined ? { id: 0, logit: 0 } : { id, logit: logits[id]! };
  return { top: token(top), rankCut: token(rankCut), shareCut: token(shareCut) };
}

/** Ids are below this (2^20), so that logit and id fit one double. */
const ID_LIMIT = 2 ** 20;

/** These ids by larger logit, then lower id: sorted as numbers, which needs no call per comparison. */
function rankIds(logits: Int32Array, ids: readonly number[]): number[] {
  const keys = Float64Array.from(ids, (id) => id - logits[id]! * ID_LIMIT).sort();
  return Array.from(keys, (key) => key - Math.floor(key / ID_LIMIT) * ID_LIMIT);
}

/** Ids of the `count` largest logits by larger logit, then lower id. */
function largestIds(logits: Int32Array, count: number): number[] {
  let kept: number[] = [];
  let least = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) {
    if (logits[id]! <= least) continue;
    kept.push(id);
    if (kept.length < 2 * count) continue;
    kept = rankIds(logits, kept).slice(0, count);
    least = logits[kept.at(-1)!]!;
  }
  return rankIds(logits, kept).slice(0, count);
}

/** What the logits from id `first` on add to rank count, rank sum and share sum; at most 1,024 of them. */
export function partialCutSums(
  logits: ArrayLike<number>,
  first: number,
  options: { readonly row: CutRow; readonly tau: number; readonly cuts: Cuts },
): readonly bigint[] {
  const { row, tau, cuts } = options;
  let [rankCount, rankSum, shareSum] = [0, 0, 0];
  for (let i = 0; i < logits.length; i++) {
    const logit = logits[i]!;
    if (cuts.rank) {
      if (!isUpTo(logit, first + i, row.rankCut)) continue;
      rankCount++;
    }
    if (!cuts.share) continue;
    const weight = weightOfLogit(logit, row.top.logit, tau);
    rankSum += weight;
    if (isUpTo(logit, first + i, row.shareCut)) shareSum += weight;
  }
  return [BigInt(rankCount), BigInt(rankSum), BigInt(shareSum)];
}

/** The sums of every part of a row as leaves hold them: part-major, 8 bytes each. */
export function allCutSums(
  logits: Int32Array,
  options: { readonly row: CutRow; readonly tau: number; readonly cuts: Cuts },
): Uint8Array {
  const parts = Math.ceil(logits.length / SUM_ELEMENTS);
  const bytes = new Uint8Array(8 * CUT_SUMS * parts);
  const view = new DataView(bytes.buffer);
  for (let part = 0; part < parts; part++) {
    const first = part * SUM_ELEMENTS;
    const sums = partialCutSums(logits.subarray(first, first + SUM_ELEMENTS), first, options);
    for (const [i, sum] of sums.entries()) view.setBigInt64(8 * (CUT_SUMS * part + i), sum);
  }
  return bytes;
}

/** Totals of the parts. */
export function cutSums(parts: Uint8Array): readonly bigint[] {
  const view = new DataView(parts.buffer, parts.byteOffset);
  const totals = [0n, 0n, 0n];
  for (let i = 0; 8 * i < parts.length; i++) totals[i % CUT_SUMS]! += view.getBigInt64(8 * i);
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
  const { logit, id } = row.shareCut;
  if (cuts.rank && !isUpTo(logit, id, row.rankCut)) return false;
  const last = BigInt(weightOfLogit(logit, row.top.logit, tau));
  const share = BigInt(topP) * rankSum!;
  return last <= shareSum! && shareSum! << 30n >= share && (shareSum! - last) << 30n < share;
}

/** 7 True if `chosen` may be the token as far as `other` shows it: kept, and `other` is not kept or not better. */
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
  const score = ({ id, logit }: LogitToken): number =>
    settings.tau === 0 ? logit : multiplyShift16(logit, settings.tau) - noiseOf(draw, id);
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
  if (cuts.rank && !isUpTo(token.logit, token.id, row.rankCut)) return false;
  if (cuts.share && !isUpTo(token.logit, token.id, row.shareCut)) return false;
  const least = Math.min(minP, 2 ** 30);
  return weightOfLogit(token.logit, row.top.logit, tau) >= least;
}

/** 7.6 The noise of a token, Q16. */
function noiseOf({ seed, position }: { seed: Uint8Array; position: number }, id: number): number {
  const block = new Uint32Array(16);
  chachaBlock(chachaKey(seed), id >>> 4, { nonce: [position, 0, 0], block });
  const depth = 2 ** 29 - log2bNumber((block[id & 15]! | 1) >>> 0);
  return Math.floor(log2bNumber(Math.max(1, depth)) / 256);
}
