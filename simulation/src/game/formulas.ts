/**
 * Formulas 1 to 7, 10 and 11 of the design's section 5, in units of money as numbers: what theory says beside what the
 * game shows. Nothing here decides anything.
 */

export type Odds = {
  /** Probability of an audit, of finding what is wrong then, and of the challenge landing on chain in time. */
  readonly audited: number;
  readonly found: number;
  readonly landed: number;
};

const caught = ({ audited, found, landed }: Odds): number => audited * found * landed;

/** 1. Expected loss of one cheat less what it saves: at or above 0, one job does not pay. `kept` is (1 - β)S + E. */
export const lossOfOne = (odds: Odds, { saved, kept }: { saved: number; kept: number }): number =>
  caught(odds) * kept - saved;

/** 2. The same for `count` cheats in one window. */
export const lossOfMany = (
  odds: Odds,
  { count, saved, kept }: { count: number; saved: number; kept: number },
): number => chanceCaught(odds, count) * kept - count * saved;

export const chanceCaught = (odds: Odds, count: number): number => 1 - (1 - caught(odds)) ** count;

/** 3. The most that may be paid out within a window, where cheating saves `gain` of a price: (1 - β)S / γ. */
export const exposureMax = (slashable: number, gain: number): number => slashable / gain;

/** 4. Share of cheats at which a verifier that lives on bounties alone is indifferent: it never is 0. */
export const cheatsUnderBountyOnly = (cost: number, bounty: number): number => cost / bounty;

/** 5. Jackpot per planted fault that pays `finders` who check all jobs, of which a share is planted. */
export const jackpotMin = (cost: number, finders: number, share: number): number =>
  (cost * finders) / share;

/** 6. Whether an audit pays its cost with a margin, and a lazy one loses more by planted faults than it saves. */
export const auditsPay = (pay: {
  readonly fee: number;
  readonly cost: number;
  readonly margin: number;
  readonly planted: number;
  readonly missPenalty: number;
}): boolean => pay.fee >= (1 + pay.margin) * pay.cost && pay.planted * pay.missPenalty >= pay.cost;

/** 7. Probability that not all who are drawn are in league with the provider, who holds a share of them. */
export const foundDespite = (share: number, drawn: number): number => 1 - share ** drawn;

/** 10. Highest gas price at which a bond pays what it makes the other side spend. */
export const gasPriceCovered = (bond: bigint, gas: bigint, marginPercent: bigint): bigint =>
  (bond * 100n) / (gas * (100n + marginPercent));

/** 11. What audits add to the cost of all jobs, as a share of it. */
export const overhead = (audited: number, costRatio: number): number => audited * costRatio;
