/** `assay demo dispute`: a cheating provider is brought to court on a fresh private network, step by step. */
import { formatAmount } from '@assay/protocol';
import { type DemoEvent, type DemoResult, playDispute } from '../demo/dispute.js';
import { DEMO_FAULTS, type DemoFault } from '../demo/fault-kinds.js';
import { moveLine, outcomeText } from './case-words.js';
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
  if (event.step === 'network') {
    const seconds = event.seconds.toFixed(1);
    return `network      chain, contracts, provider and gateway are up (${seconds} s)`;
  }
  if (event.step === 'answer')
    return [
      `answer       "${event.text.trim()}"`,
      `             receipt ${event.jobId}, ${formatAmount(event.price)}`,
    ].join('\n');
  if (event.step === 'check') return checkLine(event.verdict);
  if (event.step === 'transaction') return moveLine(event.made, event.seconds);
  return outcomeText(event.outcome);
}

const checkLine = (verdict: Extract<DemoEvent, { step: 'check' }>['verdict']): string =>
  verdict.result === 'identical'
    ? `re-computed  identical: ${verdict.tokens} tokens`
    : `re-computed  different at token ${verdict.position}: ` +
      `the model chooses ${verdict.expected}, the provider says ${verdict.found}`;

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
