/** `assay verifier`: re-computes receipts for whoever asks, one after another, and says what it found. */

import { decodeEnvelope, provableReceiptFraud, type Verdict } from '@assay/compute';
import { AssayError, encodeJson, type Hex, type ReceiptEnvelope } from '@assay/protocol';
import { Hono } from 'hono';
import { type ChainAccess, connectRole, resolveRpc } from '../chain-access.js';
import type { AuditJudge } from '../court/audit-judge.js';
import { createBailiff } from '../court/bailiff.js';
import { openVerifierBook } from '../court/case.js';
import type { CaseBook, CaseRecord } from '../court/case-book.js';
import { type EngineHost, startEngine } from '../engine/engine-host.js';
import { loadKey, openHome } from '../home.js';
import { readRequestJson, respondError } from '../http-errors.js';
import { inTurn } from '../in-turn.js';
import { listen } from '../listen.js';
import { createLog, type Logger } from '../log.js';
import { type ModelCache, modelCache } from './model-cache.js';
import { keepRole, type RunningRole } from './role-process.js';
import { startAudits } from './verifier-audits.js';

export type VerifierRoleOptions = {
  readonly home: string;
  readonly rpc?: string;
  readonly port: number;
  readonly host: string;
  readonly threads: number;
  /** Brings receipts that differ to court (default true). */
  readonly prosecute?: boolean;
  /** Bonds that are drawn for audits (default 0: it audits nothing). */
  readonly seats?: number;
  /** A gateway that is asked for a drawn receipt where its provider shows none; it is looked up each time. */
  readonly gatewayUrl?: () => string | undefined;
};

/** What the simulation replaces to make a verifier that lies. */
export type VerifierDisguise = { readonly judge?: AuditJudge };

/** A receipt with the token ids of the longest context. */
const ENVELOPE_BYTES_MAX = 4 * 1024 * 1024;

/** Receipts under way and waiting; each holds its token ids. */
const WAITING_MAX = 256;

/** Engines kept open; each holds the weights of one model. */
const ENGINES_MAX = 2;

/** What the verifier answers: a verdict, or why the receipt does not count at all. */
export type VerifierAnswer = (Verdict | { readonly result: 'invalid'; readonly reason: string }) & {
  readonly verifier: Hex;
  readonly seconds: number;
};

export async function runVerifier(options: VerifierRoleOptions): Promise<void> {
  const log = createLog('verifier');
  await keepRole(await startVerifier(options, log), log);
}

export async function startVerifier(
  options: VerifierRoleOptions,
  log: Logger,
  disguise: VerifierDisguise = {},
): Promise<RunningRole> {
  const home = openHome(options.home);
  const { account } = loadKey(home, 'verifier');
  const access = await connectRole(home, resolveRpc(home, options.rpc), account);
  const engines = modelCache({
    ...{ home, access, countMax: ENGINES_MAX },
    open: (modelPath) => startEngine({ modelPath, threads: options.threads }),
  });
  const book = openVerifierBook(home, access);
  const bailiff = createBailiff({ home, access, log, book });
  const verify = inQueue(async (envelope: ReceiptEnvelope): Promise<VerifierAnswer> => {
    const startedMs = Date.now();
    const { verdict, isForCourt } = await judge(access, envelope, engines);
    const seconds = (Date.now() - startedMs) / 1_000;
    log.info({ jobId: envelope.jobId, result: verdict.result, seconds }, 'receipt checked');
    if (isForCourt && options.prosecute !== false) bailiff.take(envelope);
    return { ...verdict, verifier: account.address, seconds };
  });
  const app = verifierApp(verify, log, book);
  const audits = await startAudits({
    ...{ home, access, log, engines, disguise, seats: options.seats ?? 0 },
    gatewayUrl: options.gatewayUrl ?? (() => undefined),
    prosecute: (envelope) => {
      const isTaken = options.prosecute === false || isDecided(book, envelope.jobId);
      if (!isTaken) bailiff.take(envelope);
    },
  });
  const server = await listen({ app, host: options.host, port: options.port });
  return {
    ready: { ready: 'verifier', url: server.url, address: account.address },
    close: async () => {
      await server.close();
      await audits?.stop();
      await engines.close();
      bailiff.close();
    },
  };
}

/** A case that an earlier process brought to its end. */
const isDecided = (book: CaseBook, jobId: Hex): boolean =>
  (book.read(jobId) as Partial<CaseRecord> | undefined)?.state === 'convicted';

/** The verifier's HTTP surface over whatever judges a receipt. */
export function verifierApp(
  verify: (envelope: ReceiptEnvelope) => Promise<VerifierAnswer>,
  log: Logger,
  book?: CaseBook,
): Hono {
  const app = new Hono();
  app.onError((error, context) => {
    if (!(error instanceof AssayError)) log.error({ error: String(error) }, 'request failed');
    return respondError(context, error);
  });
  app.get('/v1/verifier', (context) => context.json({ ready: true }));
  app.get('/v1/cases', (context) => context.json({ cases: book?.list() ?? [] }));
  app.post('/v1/verify', async (context) => {
    const body = await readRequestJson(context.req.raw, { bytesMax: ENVELOPE_BYTES_MAX });
    const answer = await verify(decodeEnvelope(body));
    return context.body(encodeJson(answer), 200, { 'content-type': 'application/json' });
  });
  return app;
}

type Found = {
  readonly verdict: Verdict | { readonly result: 'invalid'; readonly reason: string };
  /** Whether the court can be asked to convict for it. */
  readonly isForCourt: boolean;
};

async function judge(
  { market }: ChainAccess,
  envelope: ReceiptEnvelope,
  engines: ModelCache<EngineHost>,
): Promise<Found> {
  const here =
    envelope.chainId === market.chainId &&
    envelope.contract.toLowerCase() === market.receipts.toLowerCase();
  if (!here) return { verdict: invalid('the receipt is of another network'), isForCourt: false };
  const fraud = await provableReceiptFraud(envelope, market);
  if (fraud !== undefined) {
    const reason = `the receipt contradicts its job (${fraud.kind})`;
    return { verdict: invalid(reason), isForCourt: true };
  }
  try {
    const verdict = await (await engines.get(envelope.job.modelId)).verify(envelope);
    return { verdict, isForCourt: verdict.result === 'different' };
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code !== 'receipt_invalid') throw error;
    return { verdict: invalid((error as Error).message), isForCourt: false };
  }
}

const invalid = (reason: string) => ({ result: 'invalid', reason }) as const;

/** Runs calls one after another; refuses when too many wait. */
function inQueue<A, R>(run: (argument: A) => Promise<R>): (argument: A) => Promise<R> {
  const next = inTurn(run);
  let waiting = 0;
  return (argument) => {
    if (waiting >= WAITING_MAX) throw queueFull(waiting);
    waiting++;
    return next(argument).finally(() => waiting--);
  };
}

const queueFull = (waiting: number): AssayError =>
  new AssayError({
    code: 'queue_full',
    fault: 'peer',
    message: 'The verifier has too many receipts waiting.',
    value: String(waiting),
    remedy: 'Try again after the time in Retry-After.',
  });
