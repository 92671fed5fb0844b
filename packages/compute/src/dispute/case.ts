/**
 * What a provider signed, as far as judges read it: `IJudge.Case` in Solidity. It is made from job, receipt, model and
 * the root of a trace; everything about addresses follows from it and the graph.
 */
import type { TraceJob } from '@assay/engine';
import { type Hex, type Job, NO_CONTROLS, type Receipt, type Sampler } from '@assay/protocol';

export type DisputeCase = {
  readonly traceRoot: Hex;
  readonly traceKeyHash: Hex;
  readonly inputRoot: Hex;
  readonly outputRoot: Hex;
  readonly inputCount: number;
  readonly outputCount: number;
  readonly outputCountMax: number;
  readonly finish: number;
  readonly price: bigint;
  readonly inputPrice: bigint;
  readonly outputPrice: bigint;
  readonly sampler: Sampler;
  readonly weightsRoot: Hex;
  readonly graphRoot: Hex;
  readonly tablesRoot: Hex;
};

/** The roots of a model that judges open. */
export type ModelRoots = Pick<DisputeCase, 'weightsRoot' | 'graphRoot' | 'tablesRoot'>;

export function disputeCase(
  signed: {
    readonly job: Job;
    readonly receipt: Receipt;
    readonly traceRoot: Hex;
  },
  { weightsRoot, graphRoot, tablesRoot }: ModelRoots,
): DisputeCase {
  const { job, receipt, traceRoot } = signed;
  const { traceKeyHash, inputRoot, inputCount, outputCountMax, sampler } = job;
  const { inputPrice, outputPrice } = job;
  const { outputRoot, outputCount, finish, price } = receipt;
  return {
    ...{ traceRoot, traceKeyHash, inputRoot, outputRoot },
    ...{ inputCount, outputCount, outputCountMax, finish, price, inputPrice, outputPrice },
    ...{ sampler, weightsRoot, graphRoot, tablesRoot },
  };
}

/** What the shape of the job's trace depends on. */
export const traceJob = (job: Job, receipt: Receipt): TraceJob =>
  traceJobOf({ ...job, outputCount: receipt.outputCount });

/** As {@link traceJob}, of a case. */
export const traceJobOf = (
  signed: Pick<DisputeCase, 'inputCount' | 'outputCount' | 'sampler'>,
): TraceJob => ({
  inputCount: signed.inputCount,
  outputCount: signed.outputCount,
  sampler: signed.sampler,
  controlled: signed.sampler.controls !== NO_CONTROLS,
});
