/** Receipts that contradict their own job, against the embedded chain: the receipt alone convicts, and audits say so. */
import {
  deployContracts,
  depositStake,
  type Finding,
  LOCAL_AUDIT_TERMS,
  mintTestDollars,
  OUTCOMES,
  postEpochRoot,
  publishOffer,
  readHolder,
} from '@assay/compute';
import {
  auditDomain,
  commitTokens,
  computeDomain,
  encodeJson,
  FINISH,
  fromHex,
  type Hex,
  hashAuditRequest,
  hashReceipt,
  type Job,
  jobId,
  jobPriceUp,
  merkleRoot,
  NO_CONTROLS,
  type Receipt,
  type ReceiptEnvelope,
  toHex,
  traceKeyHash,
} from '@assay/protocol';
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ChainEngine,
  LOCAL_CHAIN_ID,
  localAccount,
  startEmbeddedChain,
} from '../chain/index.js';
import { temporaryHome } from '../chain/testing/chain-kit.js';
import { type ChainAccess, connectRole, openChain, writeDeployment } from '../chain-access.js';
import { respondError } from '../http-errors.js';
import { listen } from '../listen.js';
import { createLog } from '../log.js';
import { startVerifier } from '../roles/verifier.js';
import { followAudits } from './audit-follower.js';
import { createAuditJudge } from './audit-judge.js';
import { auditRoutes } from './audit-routes.js';
import { tryCase } from './case.js';
import { openCaseBook } from './case-book.js';
import { followCourt } from './court-follower.js';

const home = temporaryHome();
const account = (index: number) => localAccount({ chainId: LOCAL_CHAIN_ID, index });
const word = (byte: string): Hex => `0x${byte.repeat(32)}`;
const STAKE = 50_000_000n;
const SALT = word('71');
const STOP = 9;
const WHOLE = Array.from({ length: 20 }, (_, i) => 100 + i);
const log = createLog('court', 'fatal');

let chain: ChainEngine;
let provider: ChainAccess;
let challenger: ChainAccess;

beforeAll(async () => {
  chain = await startEmbeddedChain({ home, port: 0 });
  const { write, genesisHash } = await openChain(chain.rpcUrl, account(0));
  const addresses = await deployContracts(write, {
    courtTerms: { clock: 600, window: 7_200, releaseDelay: 1, bond: 10n ** 16n },
    auditTerms: { ...LOCAL_AUDIT_TERMS, rate: 2 ** 32 - 1, commitTime: 10, revealTime: 10 },
    vaultWindowSeconds: 600,
  });
  writeDeployment(home, { chainId: LOCAL_CHAIN_ID, genesisHash, startBlock: 0, addresses });
  provider = await connectRole(home, chain.rpcUrl, account(1));
  challenger = await connectRole(home, chain.rpcUrl, account(2));
  const { testDollar, stake } = addresses;
  await mintTestDollars(provider.write, { testDollar, to: account(1).address, amount: STAKE });
  await depositStake(provider.write, { stake, amount: STAKE });
}, 120_000);
afterAll(() => chain.stop());

let nonces = 0;

/** What a provider signed for a job of at most twenty tokens: an honest answer but for the changes. */
async function answered(
  change: Partial<Receipt> = {},
  tokens: readonly number[] = WHOLE,
): Promise<ReceiptEnvelope> {
  const { receipts, chainId } = provider.market;
  const domain = computeDomain(chainId, receipts);
  const inputTokens = [1, 2, 3, 4, 5];
  const job: Job = {
    ...{ modelId: word('11'), provider: account(1).address, requester: account(4).address },
    ...{ channelId: word('22'), lane: 0, tier: 3, nonce: toHex(Buffer.alloc(32, ++nonces)) },
    ...{ inputRoot: commitTokens(SALT, inputTokens), traceKeyHash: traceKeyHash(SALT) },
    ...{ inputCount: inputTokens.length, outputCountMax: WHOLE.length },
    ...{ inputPrice: 10_000_000n, outputPrice: 20_000_000n },
    sampler: {
      ...{ tau: 0, topK: 0, topP: 0, minP: 0, seed: word('55'), stopIds: [STOP] },
      controls: NO_CONTROLS,
    },
    expiresAt: BigInt(Math.floor(Date.now() / 1_000) + 600),
  };
  const outputCount = change.outputCount ?? tokens.length;
  const receipt: Receipt = {
    ...{ jobId: jobId(domain, job), outputRoot: commitTokens(SALT, tokens), outputCount },
    ...{ finish: FINISH.length, streamHead: word('66'), completedAt: 0n },
    price: jobPriceUp(job, job.inputCount, outputCount),
    ...change,
  };
  return {
    ...{ jobId: receipt.jobId, chainId, contract: receipts, job, receipt, inputTokens },
    ...{ outputTokens: tokens, salt: SALT },
    jobSignature: await account(4).sign({ hash: receipt.jobId }),
    receiptSignature: await account(1).sign({ hash: hashReceipt(domain, receipt) }),
  };
}

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

const bring = (envelope: ReceiptEnvelope) =>
  tryCase({ home, access: challenger, log, book: openCaseBook(`${home}/cases`) }, envelope);

describe('a receipt that contradicts its job', { timeout: 120_000 }, () => {
  it.each(CONTRADICTIONS)(
    'is convicted of %s in one transaction, without its model',
    async (kind, make) => {
      const envelope = await make();
      const outcome = await bring(envelope);
      expect(outcome).toMatchObject({ result: 'convicted', finding: { kind, place: null } });
      const record = openCaseBook(`${home}/cases`).read(envelope.jobId);
      expect(record).toMatchObject({
        state: 'convicted',
        steps: [{ move: 'commit' }, { move: 'prove' }, { move: 'release' }],
      });
      const events = (await followCourt(challenger)).steps(envelope.jobId);
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

/** The same receipt as another network would have it. */
async function signedElsewhere(envelope: ReceiptEnvelope): Promise<ReceiptEnvelope> {
  const domain = computeDomain(envelope.chainId, envelope.contract);
  const receipt = { ...envelope.receipt, jobId: jobId(domain, envelope.job) };
  const receiptSignature = await account(1).sign({ hash: hashReceipt(domain, receipt) });
  return { ...envelope, jobId: receipt.jobId, receipt, receiptSignature };
}

const REVEAL_ENDS = 10n ** 6n;

/** What a verifier says whose re-computation refuses the receipt. */
async function judge(envelope: ReceiptEnvelope): Promise<Finding> {
  const refuse = () => Promise.reject(Object.assign(new Error(), { code: 'receipt_invalid' }));
  const options = { network: provider.market, courtWindow: 7_200 };
  const find = createAuditJudge({ ...options, verify: refuse, traceRoot: refuse });
  return (await find({ envelope, revealEnds: REVEAL_ENDS })).finding;
}

describe('createAuditJudge', () => {
  it('says nothing of a receipt that could not be disputed any more, unless it convicts by itself', async () => {
    const root = new Uint8Array(32).fill(1);
    const find = createAuditJudge({
      ...{ network: provider.market, courtWindow: 7_200 },
      verify: async () => ({ result: 'identical', tokens: 20 }),
      traceRoot: async () => root,
    });
    const [right, lie] = [await answered(), await answered({ price: 1n })];
    const closes = right.job.expiresAt + 7_200n;
    const said = async (envelope: ReceiptEnvelope, revealEnds: bigint) =>
      (await find({ envelope, revealEnds })).finding;
    expect(await said(right, closes - 7_000n)).toBe('right');
    expect(await said(right, closes - 60n)).toBe('abstained');
    expect(await said(lie, closes + 60n)).toBe('wrong');
  });
});

describe('POST /v1/verify of a receipt that contradicts its job', { timeout: 120_000 }, () => {
  it('says so, and brings it to court, but not a receipt of another network', async () => {
    const role = { home, rpc: chain.rpcUrl, host: '127.0.0.1', port: 0, threads: 1 };
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
    const court = await followCourt(challenger);
    const isConvicted = async () => {
      await court.refresh();
      return court.verdicts().some(({ verdict }) => verdict.jobId === lie.jobId);
    };
    while (!(await isConvicted())) await new Promise((resolve) => setTimeout(resolve, 200));
    expect(court.verdicts().map(({ verdict }) => verdict.jobId)).not.toContain(elsewhere.jobId);
    await verifier.close();
  });
});

/** A provider that posts one receipt and shows it to whoever is drawn for it. */
async function postAndShow(envelope: ReceiptEnvelope): Promise<{ close: () => Promise<void> }> {
  const { addresses } = provider.deployment;
  const { audits, offers, receipts } = addresses;
  const domain = auditDomain(LOCAL_CHAIN_ID, audits);
  const app = new Hono();
  app.onError((error, context) => respondError(context, error));
  app.route(
    '/',
    auditRoutes({
      provider: account(1).address,
      find: async () => ({ envelope, proof: [] }),
      holderOf: async (place) => (await readHolder(provider.read, { audits, place })).holder,
      digestOf: (request) => hashAuditRequest(domain, request),
      now: () => Date.now() / 1_000,
    }),
  );
  const server = await listen({ app, port: 0 });
  const { receipt, job } = envelope;
  const terms = { inputPrice: job.inputPrice, outputPrice: job.outputPrice, tier: job.tier };
  const offer = { offers, modelId: job.modelId, ...terms, endpoint: server.url };
  await publishOffer(provider.write, offer);
  const digest = fromHex(hashReceipt(computeDomain(LOCAL_CHAIN_ID, receipts), receipt));
  const root = toHex(merkleRoot([digest]));
  const epoch = { epoch: 1n, root, count: 1n, priceTotal: receipt.price };
  await postEpochRoot(provider.write, { receipts, ...epoch });
  return server;
}

describe('an audit of a receipt that contradicts its job', { timeout: 120_000 }, () => {
  it('says that it is wrong, convicts its provider, and is paid', async () => {
    const { testDollar, stake } = provider.deployment.addresses;
    await mintTestDollars(provider.write, { testDollar, to: account(1).address, amount: STAKE });
    await depositStake(provider.write, { stake, amount: STAKE });
    const role = { home, rpc: chain.rpcUrl, host: '127.0.0.1', port: 0, threads: 1, seats: 1 };
    const verifier = await startVerifier(role, log);
    const lie = await answered({ price: 1n });
    const server = await postAndShow(lie);
    const follower = followAudits({ access: challenger, fromBlock: 0n });
    const outcomes = async () => {
      await follower.refresh();
      return follower.epochs().flatMap(({ reports }) => [...reports.values()]);
    };
    while (!(await outcomes()).some(({ stage }) => stage === 'settled'))
      await new Promise((resolve) => setTimeout(resolve, 200));
    const court = await followCourt(challenger);
    expect(court.verdicts().map(({ verdict }) => verdict.jobId)).toContain(lie.jobId);
    for (const { finding, outcome } of await outcomes())
      expect([finding, OUTCOMES[outcome]]).toEqual([2, 'paid']);
    await server.close();
    await verifier.close();
  });
});
