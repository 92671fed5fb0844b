/** Receipts that contradict their own job, against the embedded chain: the receipt alone convicts, and audits say so. */
import { FINDINGS, type Finding, OUTCOMES, postEpochRoot, readHolder } from '@assay/compute';
import {
  auditDomain,
  computeDomain,
  encodeJson,
  FINISH,
  fromHex,
  hashAuditRequest,
  hashReceipt,
  merkleRoot,
  type Receipt,
  type ReceiptEnvelope,
  toHex,
} from '@assay/protocol';
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { respondError } from '../http-errors.js';
import { listen } from '../listen.js';
import { startVerifier } from '../roles/verifier.js';
import { followAudits } from './audit-follower.js';
import { createAuditJudge } from './audit-judge.js';
import { auditRoutes } from './audit-routes.js';
import { tryCase } from './case.js';
import { openCaseBook } from './case-book.js';
import { followCourt } from './court-follower.js';
import {
  account,
  addStake,
  COURT_WINDOW,
  type CourtKit,
  quiet as log,
  offerAt,
  STOP,
  answered as signedAnswer,
  signedElsewhere,
  startCourtKit,
  WHOLE_ANSWER as WHOLE,
} from './testing/court-kit.js';

let kit: CourtKit;

beforeAll(async () => {
  kit = await startCourtKit({ commitTime: 10, revealTime: 10 });
}, 120_000);
afterAll(() => kit.chain.stop());

const answered = (change?: Partial<Receipt>, tokens?: readonly number[]) =>
  signedAnswer(kit, change, tokens);

const stopped = [...WHOLE.slice(0, 16), STOP];

/** Every way in which a receipt can contradict its job. */
const CONTRADICTIONS = [
  ['outputCount', () => answered({}, [...WHOLE, 5])],
  ['price', () => answered({ price: 1n })],
  ['finish', () => answered({ finish: FINISH.length }, WHOLE.slice(1))],
  ['stopMissing', () => answered({ finish: FINISH.stop })],
  ['stopPassed', () => answered({ finish: FINISH.cancelled }, stopped)],
  ['tokenForm', () => answered({ outputCount: 19, finish: FINISH.cancelled })],
  ['outputLeaves', () => answered({ outputCount: 15, finish: FINISH.cancelled })],
  ['outputLeaves', () => answered({ outputCount: 15, finish: FINISH.cancelled }, [])],
] as const;

const openBook = () => openCaseBook(`${kit.home}/cases`);

const bring = (envelope: ReceiptEnvelope) =>
  tryCase({ home: kit.home, access: kit.challenger, log, book: openBook() }, envelope);

describe('a receipt that contradicts its job', { timeout: 120_000 }, () => {
  it.each(CONTRADICTIONS)(
    'is convicted of %s in one transaction, without its model',
    async (kind, make) => {
      const envelope = await make();
      const outcome = await bring(envelope);
      expect(outcome).toMatchObject({ result: 'convicted', finding: { kind, place: null } });
      const record = openBook().read(envelope.jobId);
      expect(record).toMatchObject({
        state: 'convicted',
        steps: [{ move: 'commit' }, { move: 'prove' }, { move: 'release' }],
      });
      const events = (await followCourt(kit.challenger)).steps(envelope.jobId);
      expect(events.map(({ name }) => name)).toEqual(['Convicted', 'Released']);
    },
  );

  it('is nobody’s fault unless the provider signed it, here, for this job', async () => {
    const lie = await answered({ price: 1n });
    const { receipt, receiptSignature } = await answered({ price: 2n });
    const [chainId, contract] = [lie.chainId + 1, account(7).address];
    for (const other of [
      { ...lie, receiptSignature: (await answered()).receiptSignature },
      { ...lie, receipt, receiptSignature },
      await signedElsewhere({ ...lie, chainId }),
      await signedElsewhere({ ...lie, contract }),
      { ...(await answered()), outputTokens: [1, 2] },
    ]) {
      // Then a trace is wanted, and of this model nobody has one.
      await expect(bring(other)).rejects.toMatchObject({ code: 'model_unavailable' });
      expect(await judge(other)).toBe('abstained');
    }
    expect(await judge(lie)).toBe('wrong');
  });
});

const REVEAL_ENDS = 10n ** 6n;

/** What a verifier says whose re-computation refuses the receipt. */
async function judge(envelope: ReceiptEnvelope): Promise<Finding> {
  const refuse = () => Promise.reject(Object.assign(new Error(), { code: 'receipt_invalid' }));
  const options = { network: kit.provider.market, courtWindow: COURT_WINDOW };
  const find = createAuditJudge({ ...options, verify: refuse, traceRoot: refuse });
  return (await find({ envelope, revealEnds: REVEAL_ENDS })).finding;
}

describe('createAuditJudge', () => {
  it('says nothing of a receipt that could not be disputed any more, unless it convicts by itself', async () => {
    const root = new Uint8Array(32).fill(1);
    const find = createAuditJudge({
      ...{ network: kit.provider.market, courtWindow: COURT_WINDOW },
      verify: async () => ({ result: 'identical', tokens: 20 }),
      traceRoot: async () => root,
    });
    const [right, lie] = [await answered(), await answered({ price: 1n })];
    const closes = right.job.expiresAt + BigInt(COURT_WINDOW);
    const said = async (envelope: ReceiptEnvelope, revealEnds: bigint) =>
      (await find({ envelope, revealEnds })).finding;
    expect(await said(right, closes - 7_000n)).toBe('right');
    expect(await said(right, closes - 60n)).toBe('abstained');
    expect(await said(lie, closes + 60n)).toBe('wrong');
  });
});

describe('POST /v1/verify of a receipt that contradicts its job', { timeout: 120_000 }, () => {
  it('says so, and brings it to court, but not a receipt of another network', async () => {
    const role = { home: kit.home, rpc: kit.chain.rpcUrl, host: '127.0.0.1', port: 0, threads: 1 };
    const verifier = await startVerifier(role, log);
    const verify = async (envelope: ReceiptEnvelope) => {
      const request = { method: 'POST', body: encodeJson(envelope) };
      return (await fetch(`${verifier.ready.url}/v1/verify`, request)).json();
    };
    const lie = await answered({ price: 1n });
    const elsewhere = await signedElsewhere({ ...lie, contract: account(7).address });
    expect(await verify(elsewhere)).toMatchObject({ reason: 'the receipt is of another network' });
    const reason = 'the receipt contradicts its job (price)';
    expect(await verify(lie)).toMatchObject({ result: 'invalid', reason });
    const court = await followCourt(kit.challenger);
    const isConvicted = async () => {
      await court.refresh();
      return court.verdicts().some(({ verdict }) => verdict.jobId === lie.jobId);
    };
    while (!(await isConvicted())) await new Promise((resolve) => setTimeout(resolve, 200));
    expect(court.verdicts().map(({ verdict }) => verdict.jobId)).not.toContain(elsewhere.jobId);
    await verifier.close();
  });
});

/** A provider that posts two epochs of one receipt, and shows the first one to whoever is drawn for it. */
async function postAndShow(
  envelope: ReceiptEnvelope,
  hidden: ReceiptEnvelope,
): Promise<{ close: () => Promise<void> }> {
  const { provider } = kit;
  const { audits, receipts } = provider.deployment.addresses;
  const { chainId } = provider.market;
  const domain = auditDomain(chainId, audits);
  const app = new Hono();
  app.onError((error, context) => respondError(context, error));
  app.route(
    '/',
    auditRoutes({
      provider: account(1).address,
      find: async ({ epoch }) => (epoch === 1n ? { envelope, proof: [] } : undefined),
      holderOf: async (place) => (await readHolder(provider.read, { audits, place })).holder,
      digestOf: (request) => hashAuditRequest(domain, request),
      now: () => Date.now() / 1_000,
    }),
  );
  const server = await listen({ app, port: 0 });
  await offerAt(provider, server.url);
  for (const [i, { receipt }] of [envelope, hidden].entries()) {
    const root = toHex(
      merkleRoot([fromHex(hashReceipt(computeDomain(chainId, receipts), receipt))]),
    );
    const epoch = { epoch: BigInt(i + 1), root, count: 1n, priceTotal: receipt.price };
    await postEpochRoot(provider.write, { receipts, ...epoch });
  }
  return server;
}

describe('an audit of a receipt that contradicts its job', { timeout: 120_000 }, () => {
  it('says that it is wrong, convicts its provider, and is paid; of what nobody shows it says nothing', async () => {
    await addStake(kit.provider);
    const role = {
      home: kit.home,
      rpc: kit.chain.rpcUrl,
      host: '127.0.0.1',
      port: 0,
      threads: 1,
      seats: 1,
    };
    const verifier = await startVerifier(role, log);
    const lie = await answered({ price: 1n });
    const server = await postAndShow(lie, await answered());
    const follower = followAudits({ access: kit.challenger, fromBlock: 0n });
    const reportsOf = async (number: bigint) => {
      await follower.refresh();
      const found = follower.epochs().find(({ epoch }) => epoch === number);
      return [...(found?.reports.values() ?? [])];
    };
    while (!(await reportsOf(1n)).some(({ stage }) => stage === 'settled'))
      await new Promise((resolve) => setTimeout(resolve, 200));
    const court = await followCourt(kit.challenger);
    expect(court.verdicts().map(({ verdict }) => verdict.jobId)).toContain(lie.jobId);
    for (const { finding, outcome } of await reportsOf(1n))
      expect([FINDINGS[finding], OUTCOMES[outcome]]).toEqual(['wrong', 'paid']);
    const silent = await reportsOf(2n);
    expect(silent.length).toBeGreaterThan(0);
    for (const { finding, stage } of silent)
      expect([FINDINGS[finding], stage]).toEqual(['abstained', 'revealed']);
    await server.close();
    await verifier.close();
  });
});
