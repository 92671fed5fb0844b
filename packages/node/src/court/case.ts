/**
 * One case from a receipt to the end of its money, written into the case book as it goes, whoever brings it: the
 * verifier by itself, or a person with `assay dispute open`. It knows nothing of who decides that a receipt is wrong.
 */
import { join } from 'node:path';
import type { Hex, ReceiptEnvelope } from '@assay/protocol';
import { LOCAL_CHAIN_ID } from '../chain/index.js';
import { type ChainAccess, fundLocalRole, ledgerName } from '../chain-access.js';
import { roleFolder } from '../home.js';
import type { Logger } from '../log.js';
import { fetchModel } from '../model-store.js';
import { listOffersOnChain } from '../offers-on-chain.js';
import { type CaseBook, type CaseRecord, openCaseBook } from './case-book.js';
import type { VerdictRecord } from './court-follower.js';
import {
  type CaseStep,
  type Outcome,
  prosecute,
  prosecuteReceipt,
  releaseWhenDue,
} from './prosecutor.js';
import { lazyTraceHost } from './trace-host.js';
import type { Pause } from './trace-peer.js';

export type CaseOptions = {
  readonly home: string;
  readonly access: ChainAccess;
  readonly log: Logger;
  readonly book: CaseBook;
  /** Goes on chain at once, without asking the provider first. */
  readonly force?: boolean;
  /** Hands out the model's file where no provider offers it any more. */
  readonly gateway?: { readonly url: string; readonly headers: Readonly<Record<string, string>> };
  /** How time passes in which nothing is to be done (default: it does). */
  readonly pause?: Pause;
  /** Called after each transaction. */
  readonly onStep?: (step: CaseStep) => void;
  /** Whether to wait for the day of payment (default true); else anybody may release the verdict later. */
  readonly paysOut?: (outcome: Outcome) => boolean;
};

/** The case book of the verifier in a data folder; each network has its own. */
export const openVerifierBook = (home: string, access: ChainAccess): CaseBook =>
  openCaseBook(
    join(roleFolder(home, 'verifier'), ledgerName('cases', access.deployment).replace(/\.db$/, '')),
  );

/**
 * Brings a receipt to court if its provider's trace is wrong or withheld, and pays the verdict out. Throws
 * `case_under_way` if another process is at it.
 */
export async function tryCase(options: CaseOptions, envelope: ReceiptEnvelope): Promise<Outcome> {
  const letGo = options.book.claim(envelope.jobId);
  try {
    return await tryClaimed(options, envelope);
  } finally {
    letGo();
  }
}

async function tryClaimed(options: CaseOptions, envelope: ReceiptEnvelope): Promise<Outcome> {
  const { access, book, log, onStep, paysOut } = options;
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
  const made = (step: CaseStep): void => {
    note({ steps: [...record.steps, step] });
    onStep?.(step);
  };
  note({});
  try {
    const outcome = await judged({ ...options, onStep: made }, envelope);
    log.info({ jobId, result: outcome.result }, 'case decided');
    if (outcome.result !== 'convicted') {
      note({ state: outcome.result });
      return outcome;
    }
    const { finding } = outcome;
    note({ state: 'convicted', ...(finding === undefined ? {} : { finding }) });
    if (paysOut?.(outcome) === false) return outcome;
    const verdict = await releaseWhenDue({ access, onStep: made }, outcome.verdict);
    note(moneyOf(verdict));
    return { ...outcome, verdict };
  } catch (error) {
    // Only what the court has not decided has failed; a payment that did not go through can be made by anybody.
    if (record.state === 'open') note({ state: 'failed' });
    throw error;
  }
}

/** Pays a verdict of {@link tryCase} that was left for later, once its day has come, and writes it into the book. */
export async function payOut(
  { access, book, pause }: Pick<CaseOptions, 'access' | 'book' | 'pause'>,
  jobId: Hex,
  verdict: VerdictRecord,
): Promise<void> {
  const record = book.read(jobId) as CaseRecord;
  const steps = [...record.steps];
  const onStep = (step: CaseStep): void => void steps.push(step);
  const waiting = pause === undefined ? {} : { pause };
  const paid = await releaseWhenDue({ access, onStep, ...waiting }, verdict);
  book.write({ ...record, steps, ...moneyOf(paid) });
}

const moneyOf = ({ verdict, released }: VerdictRecord): Pick<CaseRecord, 'money'> =>
  released === undefined ? {} : { money: { taken: verdict.taken, ...released } };

/** The outcome: by the receipt alone if that will do, else with a trace of its model made here. */
async function judged(options: CaseOptions, envelope: ReceiptEnvelope): Promise<Outcome> {
  const { access, log, onStep, pause, force = false } = options;
  const { modelId, provider } = envelope.job;
  if (access.market.chainId === LOCAL_CHAIN_ID) await fundLocalRole(access, 0n);
  const told = {
    ...(onStep === undefined ? {} : { onStep }),
    ...(pause === undefined ? {} : { pause }),
  };
  const byReceipt = await prosecuteReceipt({ access, ...told }, envelope);
  if (byReceipt !== undefined) return byReceipt;
  const offers = await listOffersOnChain(access, { modelId });
  const own = offers.find((offer) => offer.provider.toLowerCase() === provider.toLowerCase());
  const modelPath = await modelFile(options, modelId, offers);
  const traces = lazyTraceHost({ modelPath });
  try {
    const endpoint = own?.endpoint ?? '';
    return await prosecute({ access, traces, endpoint, log, force, ...told }, envelope);
  } finally {
    await traces.close();
  }
}

/** The model's file: cached, from a provider that offers it, else from the gateway that the receipt came from. */
async function modelFile(
  { home, gateway }: CaseOptions,
  modelId: Hex,
  offers: readonly { readonly endpoint: string }[],
): Promise<string> {
  const endpoints = offers.map(({ endpoint }) => endpoint);
  if (gateway === undefined) return fetchModel(home, modelId, endpoints);
  try {
    return await fetchModel(home, modelId, endpoints);
  } catch {
    // Its own error says everything; the gateway's key is for the gateway only.
    return fetchModel(home, modelId, [gateway.url], gateway.headers);
  }
}
