/** A case in words for a terminal: its transactions, what was found, and where the money went. */
import { formatAmount } from '@assay/protocol';
import type { Outcome } from '../court/prosecutor.js';
import type { Finding } from '../court/trace-messages.js';

export const moveLine = (
  { move, gas }: { readonly move: string; readonly gas: bigint },
  seconds: number,
): string => `${move.padEnd(12)} ${gas} gas (${seconds.toFixed(1)} s)`;

export function outcomeText(outcome: Outcome): string {
  if (outcome.result === 'right')
    return 'court        nothing to prove: every number of the trace is right';
  if (outcome.result === 'dismissed') return 'court        dismissed: the bond is the provider’s';
  const { finding, verdict } = outcome;
  const where =
    finding === undefined
      ? 'the provider kept silent until its time was up'
      : `${finding.kind}: ${placeOf(finding)}${numbersOf(finding)}`;
  const taken = formatAmount(verdict.verdict.taken);
  return [`verdict      guilty, ${where}`, `money        ${taken} taken${sharesOf(outcome)}`].join(
    '\n',
  );
}

type Convicted = Extract<Outcome, { result: 'convicted' }>;

function sharesOf({ verdict: { released } }: Convicted): string {
  if (released === undefined) return '; it is paid out after the court’s delay';
  const { refund, bounty, kept } = released;
  return (
    `: ${formatAmount(refund)} back to the requester,\n` +
    `             ${formatAmount(bounty)} to the challenger, ${formatAmount(kept)} to be burned`
  );
}

function placeOf({ place }: Finding): string {
  if (place === null) return 'the receipt contradicts its job';
  const { position, layer, layerCount, op, head, index } = place;
  return (
    `position ${position}, ${layer === null ? 'outside the layers' : `layer ${layer + 1} of ${layerCount}`}, ` +
    `op ${op}, head ${head}, element ${index}`
  );
}

const numbersOf = ({ expected, found }: Finding): string =>
  expected === null || expected === found
    ? ''
    : `\n             right is ${expected}, the provider signed ${found}`;
