/** `assay demo dispute`: a cheating provider is brought to court on a fresh private network, step by step. */
import { formatAmount } from '@assay/protocol';
import { type DemoEvent, type DemoResult, playDispute } from '../demo/dispute.js';
import { DEMO_FAULTS, type DemoFault } from '../demo/fault-kinds.js';
import { EXIT, type Output, print } from './output.js';

export type DemoOptions = Output & { readonly fault: string };

export async function demoDispute(options: DemoOptions): Promise<void> {
  const fault = options.fault as DemoFault;
  if (!options.json)
    process.stdout.write(`A provider that cheats: ${fault} (${DEMO_FAULTS[fault]})\n\n`);
  const result = await playDispute(fault, (event) => {
    if (!options.json) process.stdout.write(`${lineOf(event)}\n`);
  });
  const right = result.convicted === (fault !== 'none');
  print(options, documentOf(result), summaryOf(result));
  process.exitCode = right ? EXIT.done : EXIT.refused;
}

function lineOf(event: DemoEvent): string {
  if (event.step === 'network')
    return `network      chain, contracts, provider and gateway are up (${event.seconds.toFixed(1)} s)`;
  if (event.step === 'answer')
    return `answer       "${event.text.trim()}"\n             receipt ${event.jobId}, ${formatAmount(event.price)}`;
  if (event.step === 'check') {
    const { verdict } = event;
    return verdict.result === 'identical'
      ? `re-computed  identical: ${verdict.tokens} tokens`
      : `re-computed  different at token ${verdict.position}: the model chooses ${verdict.expected}, the provider says ${verdict.found}`;
  }
  if (event.step === 'transaction') {
    const { move, gas } = event.made;
    return `${move.padEnd(12)} ${gas} gas (${event.seconds.toFixed(1)} s)`;
  }
  return outcomeOf(event.outcome);
}

function outcomeOf(outcome: Extract<DemoEvent, { step: 'outcome' }>['outcome']): string {
  if (outcome.result === 'right')
    return 'court        nothing to prove: every number of the trace is right';
  if (outcome.result === 'dismissed') return 'court        dismissed: the bond is the provider’s';
  const { finding, verdict } = outcome;
  const where =
    finding === undefined
      ? 'the provider kept silent until its time was up'
      : `${finding.kind}: ${placeOf(finding.place)}${numbersOf(finding)}`;
  const { taken } = verdict.verdict;
  const { refund = 0n, bounty = 0n, kept = 0n } = verdict.released ?? {};
  return [
    `verdict      guilty, ${where}`,
    `money        ${formatAmount(taken)} taken: ${formatAmount(refund)} back to the requester,`,
    `             ${formatAmount(bounty)} to the challenger, ${formatAmount(kept)} to be burned`,
  ].join('\n');
}

type Found = NonNullable<
  Extract<Extract<DemoEvent, { step: 'outcome' }>['outcome'], { result: 'convicted' }>['finding']
>;

const placeOf = ({ position, layer, layerCount, op, head, index }: Found['place']): string =>
  `position ${position}, ${layer === null ? 'outside the layers' : `layer ${layer + 1} of ${layerCount}`}, ` +
  `op ${op}, head ${head}, element ${index}`;

const numbersOf = ({ expected, found }: Found): string =>
  expected === null || expected === found
    ? ''
    : `\n             right is ${expected}, the provider signed ${found}`;

const documentOf = (result: DemoResult) => ({
  fault: result.fault,
  convicted: result.convicted,
  transactions: result.transactions,
  gas: {
    open: Number(result.gas.open),
    reveal: Number(result.gas.reveal),
    prove: Number(result.gas.prove),
    total: Number(result.gas.total),
  },
  slashed: String(result.slashed),
  refunded: String(result.refunded),
  seconds: result.seconds,
});

const summaryOf = ({ transactions, gas, seconds }: DemoResult): string =>
  `\n${transactions} transactions, ${gas.total} gas, ${seconds.toFixed(1)} s`;
