/**
 * Whole audits on a real chain: an honest and a lazy verifier of a right receipt, and a planted fault that real judges
 * confirm. The chain is anvil; time is set forward instead of waited for.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { SPEC_ID } from '@assay/engine';
import {
  auditDomain,
  computeDomain,
  fromHex,
  type Hex,
  hashPlant,
  hashReceipt,
  hashTrace,
  jobId,
  jobPriceUp,
  merkleProof,
  merkleRoot,
  toHex,
} from '@assay/protocol';
import { createTestClient, createWalletClient, http, publicActions } from 'viem';
import { mnemonicToAccount } from 'viem/accounts';
import { anvil as anvilChain } from 'viem/chains';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type AuditDraw,
  type AuditPlace,
  auditFee,
  auditPhase,
  beaconOf,
  type Finding,
  isAudited,
  plantCommitment,
  readAuditEvents,
  reportCommitment,
  seatDrawn,
} from '../court/audit.js';
import type { CourtModel } from '../court/claim.js';
import { findFraud } from '../dispute/find-fraud.js';
import { sourceOf } from '../dispute/source.js';
import { type HonestCase, honestCase } from '../dispute/testing/honest-case.js';
import { codeOf } from '../testing/code-of.js';
import {
  type Addresses,
  answerAudit,
  commitReport,
  convict,
  deployContracts,
  depositStake,
  drawEpoch,
  LOCAL_AUDIT_TERMS,
  leaveSeat,
  mintTestDollars,
  modelCommitmentId,
  openPlant,
  type PostedReceipt,
  plantFault,
  postEpochRoot,
  readAnswer,
  readDraw,
  readHolder,
  readIsPlanted,
  readReport,
  readSeat,
  readSeatsDrawn,
  readStake,
  revealReport,
  settleAudit,
  takeSeats,
  type WriteClient,
  withdrawSeat,
} from './index.js';

const ROOT = join(import.meta.dirname, '../../../..');
const MNEMONIC = 'test test test test test test test test test test test junk';
/** Every receipt is audited by two seats: two verifiers with one seat each are drawn for some of them. */
const TERMS = { ...LOCAL_AUDIT_TERMS, rate: 2 ** 32 - 1 };
const STAKE = 1_000_000_000n;
const SALT: Hex = `0x${'5a'.repeat(32)}`;
const LIE: Hex = `0x${'11'.repeat(32)}`;
/** Receipts of an epoch: enough that both verifiers are drawn for one of them. */
const COUNT = 8;

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
const [provider, requester, honest, lazy] = [0, 1, 2, 3].map((addressIndex) =>
  mnemonicToAccount(MNEMONIC, { addressIndex }),
) as [Account, Account, Account, Account];
type Account = ReturnType<typeof mnemonicToAccount>;

let chainProcess: ChildProcess;
let url: string;
let addresses: Addresses;
let epoch = 0n;

const clientOf = (account: Account): WriteClient =>
  createWalletClient({ account, chain: anvilChain, transport: http(url), pollingInterval: 20 });
const node = () =>
  createTestClient({ chain: anvilChain, mode: 'anvil', transport: http(url) }).extend(
    publicActions,
  );
const at = () => ({ audits: addresses.audits });

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });

const isUp = (): Promise<boolean> =>
  node()
    .getChainId()
    .then(
      () => true,
      () => false,
    );

beforeAll(async () => {
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const anvil = join(ROOT, 'node_modules/.bin/anvil');
  chainProcess = spawn('prlimit', ['--as=6000000000', anvil, '--silent', '--port', `${port}`], {
    detached: true,
    stdio: 'ignore',
  });
  for (let tries = 0; !(await isUp()); tries++) {
    if (tries === 400) throw new Error('anvil did not start');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  addresses = await deployContracts(clientOf(provider), { auditTerms: TERMS });
  for (const { address } of [provider, honest, lazy]) {
    await mintTestDollars(clientOf(provider), { ...addresses, to: address, amount: 2n * STAKE });
  }
  await depositStake(clientOf(provider), { ...addresses, amount: STAKE });
}, 120_000);

afterAll(() => {
  if (chainProcess.pid !== undefined) process.kill(-chainProcess.pid, 'SIGKILL');
});

const domain = () => computeDomain(anvilChain.id, addresses.receipts);

/** Lets time pass, and a block with the new time be sealed. */
async function pass(seconds: number): Promise<void> {
  await node().increaseTime({ seconds });
  await node().mine({ blocks: 1 });
}

/** A job that the provider answered, as the court takes it, with the root of its honest trace. */
function answered(options: { readonly seed: number; readonly wrongToken?: number }) {
  const made = honestCase({ ...options, inputCount: 6, outputCount: 3, hash: sha256 });
  const { weightsRoot, graphRoot, tablesRoot } = made.signed;
  const model: CourtModel = {
    ...{ weightsRoot, graphRoot, tablesRoot },
    ...{ tokenizerHash: SALT, templateHash: SALT, boundsHash: SALT, specId: SPEC_ID },
  };
  const prices = { inputPrice: 10_000_000n, outputPrice: 20_000_000n };
  const now = BigInt(Math.floor(Date.now() / 1_000));
  const job = {
    ...made.envelope.job,
    ...prices,
    modelId: modelCommitmentId(model),
    provider: provider.address,
    requester: requester.address,
    expiresAt: now + 86_400n,
  };
  const receipt = {
    ...made.envelope.receipt,
    jobId: jobId(domain(), job),
    price: jobPriceUp(prices, job.inputCount, made.envelope.receipt.outputCount),
  };
  return { made, model, job, receipt, root: toHex(made.trace.root) };
}

type Answered = ReturnType<typeof answered>;

const claimFor = async ({ job, receipt }: Answered) => ({
  job,
  receipt,
  signature: await provider.sign({ hash: hashReceipt(domain(), receipt) }),
});

const traceFor = async ({ receipt }: Answered, root: Hex) => ({
  root,
  signature: await provider.sign({
    hash: hashTrace(domain(), { jobId: receipt.jobId, root }),
  }),
});

/** Posts an epoch in which the receipt stands `COUNT` times, draws it, and gives an index that fits the seats. */
async function postAndDraw(
  { receipt }: Answered,
  wanted: readonly Account[],
): Promise<{ readonly posted: PostedReceipt; readonly draw: AuditDraw }> {
  for (;;) {
    epoch += 1n;
    const leaves = Array.from({ length: COUNT }, () => fromHex(hashReceipt(domain(), receipt)));
    await postEpochRoot(clientOf(provider), {
      ...addresses,
      epoch,
      root: toHex(merkleRoot(leaves)),
      count: BigInt(COUNT),
      priceTotal: receipt.price * BigInt(COUNT),
    });
    await node().mine({ blocks: 3 });
    const where = { provider: provider.address, epoch };
    await drawEpoch(clientOf(lazy), { ...at(), ...where });
    const draw = (await readDraw(clientOf(lazy), { ...at(), ...where }))!;
    for (let index = 0; index < COUNT; index++) {
      const holders = await Promise.all(
        wanted.map((_, place) => readHolder(clientOf(lazy), placeAt(BigInt(index), place))),
      );
      const fits = holders.every(({ holder }, place) => holder === wanted[place]!.address);
      if (!fits) continue;
      const proof = merkleProof(leaves, index).map(toHex);
      return { draw, posted: { ...where, index: BigInt(index), receipt, proof } };
    }
  }
}

const placeAt = (index: bigint, place: number): { audits: Hex; place: AuditPlace } => ({
  ...at(),
  place: { provider: provider.address, epoch, index, place },
});

type Report = { readonly finding: Finding; readonly root: Hex };

/** Two verifiers commit, then show what they found. */
async function report(
  { draw, posted }: { readonly draw: AuditDraw; readonly posted: PostedReceipt },
  reports: readonly { readonly by: Account; readonly says: Report }[],
): Promise<void> {
  for (const [place, { by, says }] of reports.entries()) {
    const where = placeAt(posted.index, place);
    const { beacon } = draw;
    const holder = by.address;
    const commitment = reportCommitment({
      beacon,
      place: where.place,
      ...says,
      holder,
      salt: SALT,
    });
    await commitReport(clientOf(by), { ...where, commitment });
  }
  await pass(TERMS.commitTime + 1);
  for (const [place, { by, says }] of reports.entries()) {
    await revealReport(clientOf(by), { ...placeAt(posted.index, place), ...says, salt: SALT });
  }
}

describe('an audit', () => {
  let seats: number[];

  it('begins with seats', async () => {
    seats = [
      ...(await takeSeats(clientOf(honest), { ...at(), count: 1 })),
      ...(await takeSeats(clientOf(lazy), { ...at(), count: 1 })),
    ];
    const seat = await readSeat(clientOf(honest), { ...at(), seat: seats[0]! });
    expect(seat).toMatchObject({
      holder: honest.address,
      bond: TERMS.bond,
      slot: 0,
      leftBlock: 0n,
    });
  });

  it('pays who ran the model, and takes the seat of who guessed', async () => {
    const case_ = answered({ seed: 3 });
    const drawn = await postAndDraw(case_, [honest, lazy]);
    const { draw, posted } = drawn;
    expect(draw.beacon).toBe(
      beaconOf({
        blockHash: (await node().getBlock({ blockNumber: draw.postedBlock + 2n })).hash,
        provider: provider.address,
        epoch,
      }),
    );
    expect(isAudited(draw.beacon, posted.index, TERMS.rate)).toBe(true);
    const slots = await readSeatsDrawn(clientOf(lazy), { ...at(), draw });
    for (const place of [0, 1]) {
      const slot = seatDrawn(draw.beacon, posted.index, place, draw.seatCount);
      expect(slots[slot]).toBe(
        (await readHolder(clientOf(lazy), placeAt(posted.index, place))).seat,
      );
    }
    await report(drawn, [
      { by: honest, says: { finding: 'right', root: case_.root } },
      { by: lazy, says: { finding: 'right', root: LIE } },
    ]);
    const trace = await traceFor(case_, case_.root);
    await answerAudit(clientOf(provider), { ...at(), posted, trace });
    expect(await readAnswer(clientOf(lazy), { ...at(), ...posted })).toBe(case_.root);
    expect(await codeOf(settleAudit(clientOf(lazy), { ...at(), posted }))).toBe('settle_not_ready');
    await pass(TERMS.revealTime + 1);
    const now = (await node().getBlock()).timestamp;
    expect(auditPhase(draw, TERMS, now)).toBe('disputing');
    const early = await settleAudit(clientOf(lazy), { ...at(), posted });
    const fee = auditFee(posted.receipt.price, TERMS);
    expect(settledOf(early.logs)).toEqual([[honest.address, 1, fee]]);
    await pass(TERMS.disputeTime + 1);
    const late = await settleAudit(clientOf(honest), { ...at(), posted });
    expect(settledOf(late.logs)).toEqual([[lazy.address, 4, TERMS.bond]]);
    expect((await readReport(clientOf(lazy), placeAt(posted.index, 1))).outcome).toBe('forfeited');
    const { staked } = await readStake(clientOf(lazy), {
      ...addresses,
      provider: provider.address,
    });
    expect(staked).toBe(STAKE - fee);
  }, 120_000);

  it('ends with the bond of a seat that is given up', async () => {
    const [seat] = [seats[0]!];
    const where = { ...at(), seat };
    await leaveSeat(clientOf(honest), where);
    expect(await codeOf(withdrawSeat(clientOf(honest), where))).toBe('seat_not_ready');
    const { drawTime, commitTime, revealTime, disputeTime } = TERMS;
    await pass(drawTime + 2 * commitTime + revealTime + disputeTime);
    await withdrawSeat(clientOf(honest), where);
    expect((await readSeat(clientOf(honest), where)).bond).toBe(0n);
  });
});

describe('a planted fault', () => {
  it('takes the seat of who believed what leaked, and cannot be brought to court', async () => {
    await takeSeats(clientOf(honest), { ...at(), count: 1 });
    await takeSeats(clientOf(lazy), { ...at(), count: 1 });
    const case_ = answered({ seed: 5, wrongToken: 1 });
    const { root } = case_;
    const { jobId: id } = case_.receipt;
    const commitment = plantCommitment({ jobId: id, root, planter: provider.address, salt: SALT });
    await plantFault(clientOf(provider), { ...at(), commitment });
    const drawn = await postAndDraw(case_, [honest, lazy]);
    await report(drawn, [
      { by: honest, says: { finding: 'wrong', root: LIE } },
      { by: lazy, says: { finding: 'right', root } },
    ]);
    const opened = {
      ...at(),
      posted: drawn.posted,
      claim: await claimFor(case_),
      trace: await traceFor(case_, root),
      salt: SALT,
      model: case_.model,
      proof: await proofOf(case_.made),
    };
    const nobodys = await lazy.sign({ hash: plantDigest(id, root) });
    expect(await codeOf(openPlant(clientOf(provider), { ...opened, consent: nobodys }))).toBe(
      'signature_invalid',
    );
    const consent = await requester.sign({ hash: plantDigest(id, root) });
    await openPlant(clientOf(provider), { ...opened, consent });
    expect(await readIsPlanted(clientOf(lazy), { ...at(), jobId: id })).toBe(true);
    expect(await codeOf(convict(clientOf(honest), { court: addresses.court, ...opened }))).toBe(
      'job_planted',
    );
    await pass(TERMS.revealTime + 1);
    const { logs } = await settleAudit(clientOf(lazy), { ...at(), posted: drawn.posted });
    const fee = auditFee(drawn.posted.receipt.price, TERMS);
    expect(settledOf(logs)).toEqual([
      [honest.address, 1, fee],
      [lazy.address, 4, TERMS.bond],
    ]);
  }, 120_000);
});

const plantDigest = (id: Hex, root: Hex): Hex =>
  hashPlant(auditDomain(anvilChain.id, addresses.audits), { jobId: id, root });

/** The proof that the finder gives against this answer: its trace is right, a token is not. */
async function proofOf(made: HonestCase) {
  const own = made.trace;
  const fraud = (await findFraud({ ...made, own, source: sourceOf(own), hash: sha256 }))!;
  expect(fraud.kind).toBe('token');
  return { kind: fraud.number, data: fraud.bytes };
}

/** Holder, outcome and amount of every report that was settled. */
const settledOf = (logs: Parameters<typeof readAuditEvents>[0]) =>
  readAuditEvents(logs).flatMap((event) =>
    event.eventName === 'ReportSettled'
      ? [[event.args.holder, event.args.outcome, event.args.amount]]
      : [],
  );
