/**
 * What a verifier does with receipts that do not re-compute: one after another it brings them to court, in the
 * background, so that checking goes on meanwhile.
 */
import type { ReceiptEnvelope } from '@assay/protocol';
import { LOCAL_CHAIN_ID } from '../chain/index.js';
import type { ChainAccess } from '../chain-access.js';
import { fundLocalRole } from '../chain-access.js';
import type { Logger } from '../log.js';
import { fetchModel } from '../model-store.js';
import { listOffersOnChain } from '../offers-on-chain.js';
import type { CaseBook, CaseRecord } from './case-book.js';
import { type CaseStep, type Outcome, prosecute, releaseWhenDue } from './prosecutor.js';
import { startTraceHost } from './trace-host.js';

/** Cases that wait; each holds the token ids of a receipt. A provider that cheats that often is convicted by the first. */
const CASES_MAX = 64;

export type BailiffOptions = {
  readonly home: string;
  readonly access: ChainAccess;
  readonly log: Logger;
  readonly book: CaseBook;
};

export type Bailiff = {
  /** Takes a case; false if it is known already or too many wait. */
  readonly take: (envelope: ReceiptEnvelope) => boolean;
  /** Takes no more cases. One under way can be taken up again at any time: the receipt stays what it is. */
  readonly close: () => void;
};

export function createBailiff(options: BailiffOptions): Bailiff {
  const known = new Set<string>();
  let waiting = 0;
  let last: Promise<void> = Promise.resolve();
  let closed = false;
  return {
    take(envelope) {
      if (known.has(envelope.jobId) || waiting >= CASES_MAX) return false;
      known.add(envelope.jobId);
      waiting++;
      last = last
        .then(() => (closed ? undefined : tryCase(options, envelope)))
        .catch((error: unknown) => {
          options.log.error({ jobId: envelope.jobId, error: String(error) }, 'case failed');
        })
        .finally(() => waiting--);
      return true;
    },
    close: () => {
      closed = true;
    },
  };
}

async function tryCase(
  { home, access, log, book }: BailiffOptions,
  envelope: ReceiptEnvelope,
): Promise<void> {
  const { jobId, job } = envelope;
  const { provider, modelId } = job;
  let record: CaseRecord = {
    ...{ jobId, provider, modelId, startedAt: Date.now() },
    ...{ state: 'open', steps: [] },
  };
  const note = (change: Partial<CaseRecord>): void => {
    record = { ...record, ...change };
    book.write(record);
  };
  note({});
  if (access.market.chainId === LOCAL_CHAIN_ID) await fundLocalRole(access, 0n);
  const offers = await listOffersOnChain(access, { modelId: job.modelId });
  const endpoints = offers.map(({ endpoint }) => endpoint);
  const traces = await startTraceHost({
    modelPath: await fetchModel(home, job.modelId, endpoints),
  });
  const own = offers.find(({ provider }) => provider.toLowerCase() === job.provider.toLowerCase());
  try {
    const onStep = (step: CaseStep): void => note({ steps: [...record.steps, step] });
    const options = { access, traces, endpoint: own?.endpoint ?? '', log, onStep };
    const outcome: Outcome = await prosecute(options, envelope);
    log.info({ jobId, result: outcome.result }, 'case decided');
    if (outcome.result !== 'convicted') return note({ state: outcome.result });
    const { finding, verdict } = outcome;
    note({ state: 'convicted', ...(finding === undefined ? {} : { finding }) });
    const { released } = await releaseWhenDue({ access, onStep }, verdict);
    if (released !== undefined) note({ money: { taken: verdict.verdict.taken, ...released } });
  } catch (error) {
    note({ state: 'failed' });
    throw error;
  } finally {
    await traces.close();
  }
}
