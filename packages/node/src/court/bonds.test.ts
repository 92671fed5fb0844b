/** What a court gives back and takes, seen from the node, against the embedded chain: bonds, late earnings, many blocks. */
import {
  claimOf,
  convictOfTwoReceipts,
  createVault,
  deployContracts,
  depositStake,
  mintTestDollars,
  openDispute,
  readCourtTerms,
  vaultAddress,
} from '@assay/compute';
import {
  computeDomain,
  FINISH,
  type Hex,
  hashReceipt,
  type Job,
  jobId,
  NO_CONTROLS,
  type Receipt,
  type ReceiptEnvelope,
} from '@assay/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ChainEngine,
  LOCAL_CHAIN_ID,
  localAccount,
  startEmbeddedChain,
} from '../chain/index.js';
import { temporaryHome } from '../chain/testing/chain-kit.js';
import { type ChainAccess, connectRole, openChain, writeDeployment } from '../chain-access.js';
import { createLog } from '../log.js';
import { takeBackBonds } from './bonds.js';
import { tryCase } from './case.js';
import { openCaseBook } from './case-book.js';
import { followCourt } from './court-follower.js';
import { releaseWhenDue } from './prosecutor.js';

const home = temporaryHome();
const account = (index: number) => localAccount({ chainId: LOCAL_CHAIN_ID, index });
const word = (byte: string): Hex => `0x${byte.repeat(32)}`;
const STAKE = 50_000_000n;
/** Five tokens in, three tokens out. */
const PRICE = 7_000n;
const BOND = 10n ** 16n;

let chain: ChainEngine;
let provider: ChainAccess;
let challenger: ChainAccess;
let stranger: ChainAccess;

beforeAll(async () => {
  chain = await startEmbeddedChain({ home, port: 0 });
  const { write, genesisHash } = await openChain(chain.rpcUrl, account(0));
  const addresses = await deployContracts(write, {
    courtTerms: { clock: 600, window: 3_600, releaseDelay: 1, bond: BOND },
    vaultWindowSeconds: 600,
  });
  writeDeployment(home, { chainId: LOCAL_CHAIN_ID, genesisHash, startBlock: 0, addresses });
  provider = await connectRole(home, chain.rpcUrl, account(1));
  challenger = await connectRole(home, chain.rpcUrl, account(2));
  stranger = await connectRole(home, chain.rpcUrl, account(3));
  const { testDollar, stake } = addresses;
  await mintTestDollars(provider.write, { testDollar, to: account(1).address, amount: STAKE });
  await depositStake(provider.write, { stake, amount: STAKE });
}, 120_000);
afterAll(() => chain.stop());

/** One for all: two answers to one nonce are about one job, whatever the clock says. */
const EXPIRES_AT = BigInt(Math.floor(Date.now() / 1_000) + 600);

/** A job that the provider answered; `output` tells its two answers apart. */
async function signedReceipt(nonce: string, output: string) {
  const { receipts } = provider.market;
  const domain = computeDomain(LOCAL_CHAIN_ID, receipts);
  const job: Job = {
    ...{ modelId: word('11'), provider: account(1).address, requester: account(4).address },
    ...{ channelId: word('22'), lane: 0, inputRoot: word('33'), traceKeyHash: word('44') },
    ...{
      inputCount: 5,
      outputCountMax: 3,
      tier: 3,
      nonce: word(nonce),
      inputPrice: 800_000_000n,
      outputPrice: 1_000_000_000n,
    },
    sampler: {
      ...{ tau: 0, topK: 0, topP: 0, minP: 0, seed: word('55'), stopIds: [] },
      controls: NO_CONTROLS,
    },
    expiresAt: EXPIRES_AT,
  };
  const receipt: Receipt = {
    ...{ jobId: jobId(domain, job), outputRoot: word(output), outputCount: 3 },
    ...{ finish: FINISH.length, streamHead: word('66'), price: PRICE, completedAt: 0n },
  };
  const receiptSignature = await account(1).sign({ hash: hashReceipt(domain, receipt) });
  return { job, receipt, receiptSignature };
}

/** Convicts the provider of having signed two answers. */
async function convictElsewhere(nonce: string): Promise<Hex> {
  const { court } = stranger.deployment.addresses;
  const first = await signedReceipt(nonce, 'aa');
  const { receipt: second, receiptSignature: signature } = await signedReceipt(nonce, 'bb');
  const claim = claimOf(first);
  await convictOfTwoReceipts(stranger.write, { court, claim, second, signature });
  return first.receipt.jobId;
}

describe('a dispute whose provider is convicted otherwise', { timeout: 120_000 }, () => {
  it('gives its challenger the bond back for asking, and nobody else', async () => {
    const { court } = challenger.deployment.addresses;
    const { bond } = await readCourtTerms(challenger.read, court);
    const claim = claimOf(await signedReceipt('01', 'aa'));
    await openDispute(challenger.write, { court, claim, bond });
    expect(await takeBackBonds(challenger)).toEqual([]);
    expect(await challenger.read.getBalance({ address: court })).toBe(BOND);
    await convictElsewhere('01');
    expect(await takeBackBonds(stranger)).toEqual([]);
    expect(await takeBackBonds(challenger)).toHaveLength(1);
    expect(await challenger.read.getBalance({ address: court })).toBe(0n);
    expect((await followCourt(challenger)).disputes()).toEqual([]);
    expect(await takeBackBonds(challenger)).toEqual([]);
  });
});

describe('releaseWhenDue', { timeout: 120_000 }, () => {
  it('sweeps what came into the vault after the conviction, so that it refunds', async () => {
    const { vaults, testDollar } = stranger.deployment.addresses;
    const late = 30_000n;
    // The first conviction took the stake, so this one finds nothing.
    const id = await convictElsewhere('02');
    const owner = { vaults, provider: account(1).address };
    await createVault(stranger.write, owner);
    await mintTestDollars(stranger.write, { testDollar, to: vaultAddress(owner), amount: late });
    const found = (await followCourt(stranger)).verdicts().find((one) => one.verdict.jobId === id)!;
    expect(found.verdict.taken).toBe(0n);
    const moves: string[] = [];
    const onStep = ({ move }: { readonly move: string }) => void moves.push(move);
    const paid = await releaseWhenDue({ access: stranger, onStep }, found);
    expect(moves).toEqual(['sweep', 'release']);
    expect(paid.released).toEqual({ refund: PRICE, bounty: 0n, kept: late - PRICE });
  });
});

describe('followCourt', { timeout: 120_000 }, () => {
  it('reads the chain in pages, and what a page said is not asked again', async () => {
    const id = await convictElsewhere('03');
    const widths: bigint[] = [];
    const getContractEvents: typeof challenger.read.getContractEvents = (range) => {
      widths.push(BigInt(range.toBlock as bigint) - BigInt(range.fromBlock as bigint) + 1n);
      return challenger.read.getContractEvents(range);
    };
    const read = { ...challenger.read, getContractEvents } as typeof challenger.read;
    const follower = await followCourt({ ...challenger, read }, { rangeBlocks: 4n });
    const head = await challenger.read.getBlockNumber();
    expect(widths).toHaveLength(Math.ceil(Number(head + 1n) / 4));
    expect(widths.every((width) => width <= 4n)).toBe(true);
    expect(follower.verdicts().map(({ verdict }) => verdict.jobId)).toContain(id);
    expect(follower.verdicts()).toEqual((await followCourt(challenger)).verdicts());
    await follower.refresh();
    expect(widths).toHaveLength(Math.ceil(Number(head + 1n) / 4));
  });
});

describe('a case about a model that nobody hands out', { timeout: 120_000 }, () => {
  it('is not brought: the error is named, nothing goes on chain, and nobody is convicted', async () => {
    const envelope = { ...(await signedReceipt('04', 'aa')), salt: word('77') };
    const { receipt } = envelope;
    const whole = {
      ...envelope,
      ...{ jobId: receipt.jobId, inputTokens: [1, 2, 3, 4, 5], outputTokens: [1, 2, 3] },
    } as unknown as ReceiptEnvelope;
    const book = openCaseBook(`${home}/cases`);
    const log = createLog('court', 'fatal');
    const before = (await followCourt(challenger)).steps().length;
    const gateway = { url: 'http://127.0.0.1:1', headers: {} };
    for (const force of [false, true]) {
      const tried = tryCase({ home, access: challenger, log, book, force, gateway }, whole);
      await expect(tried).rejects.toMatchObject({ code: 'model_unavailable', fault: 'peer' });
    }
    expect(book.read(receipt.jobId)).toMatchObject({ state: 'failed', steps: [] });
    expect((await followCourt(challenger)).steps()).toHaveLength(before);
  });
});
