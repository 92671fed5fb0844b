/** A provider's answer to the audit of a receipt that has no trace, against the embedded chain. */
import { join } from 'node:path';
import {
  type AuditDraw,
  commitReport,
  drawEpoch,
  newLane,
  postEpochRoot,
  readAnswer,
  readDraw,
  readReport,
  reportCommitment,
  revealReport,
  settleAudit,
  takeSeats,
} from '@assay/compute';
import {
  computeDomain,
  FINISH,
  fromHex,
  type Hex,
  hashReceipt,
  merkleRoot,
  type ReceiptEnvelope,
  toHex,
} from '@assay/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fundLocalRole } from '../chain-access.js';
import { openProviderStore, type ProviderLedger } from '../stores/provider-store.js';
import { type AuditDuty, startAuditDuty } from './audit-duty.js';
import { hasTrace } from './has-trace.js';
import {
  account,
  answered,
  type CourtKit,
  quiet,
  SEAT_BOND,
  startCourtKit,
} from './testing/court-kit.js';

const SALT: Hex = `0x${'5a'.repeat(32)}`;
const INVENTED: Hex = `0x${'77'.repeat(32)}`;
const PLACES = [0, 1];
const TIMES = { commitTime: 6, revealTime: 8, disputeTime: 2 };

let kit: CourtKit;
let store: ProviderLedger;
let duty: AuditDuty;

beforeAll(async () => {
  kit = await startCourtKit(TIMES);
  store = openProviderStore(join(kit.home, 'provider.db'));
  // Of what has no trace, nobody makes one.
  const refuse = () => Promise.reject(new Error('there is no trace'));
  const source = () => ({ root: refuse, positions: refuse, rows: refuse, leaves: refuse });
  const options = { access: kit.provider, store, source, signer: account(1), log: quiet };
  duty = startAuditDuty({ ...options, intervalMs: 200 });
}, 120_000);
afterAll(async () => {
  await duty.stop();
  store.close();
  await kit.chain.stop();
});

const at = () => ({ audits: kit.provider.deployment.addresses.audits });
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Until the chain is past a second; it seals a block for it. */
async function passed(second: bigint): Promise<void> {
  for (;;) {
    await fundLocalRole(kit.challenger, 0n);
    const { write, read } = kit.challenger;
    const hash = await write.sendTransaction({ to: write.account.address, value: 0n });
    await read.waitForTransactionReceipt({ hash });
    if ((await read.getBlock()).timestamp > second) return;
    await pause(300);
  }
}

/** The receipt alone in an epoch, drawn. */
async function postAndDraw({ receipt }: ReceiptEnvelope): Promise<AuditDraw> {
  const { write, market, deployment } = kit.provider;
  const digest = fromHex(hashReceipt(computeDomain(market.chainId, market.receipts), receipt));
  await postEpochRoot(write, {
    ...{ receipts: deployment.addresses.receipts, epoch: 1n, root: toHex(merkleRoot([digest])) },
    ...{ count: 1n, priceTotal: receipt.price },
  });
  for (let blocks = 0; blocks < 3; blocks++) await passed(0n);
  const epoch = { provider: account(1).address, epoch: 1n };
  await drawEpoch(kit.challenger.write, { ...at(), ...epoch });
  return (await readDraw(kit.challenger.read, { ...at(), ...epoch }))!;
}

const placeOf = (place: number) => ({
  ...at(),
  place: { provider: account(1).address, epoch: 1n, index: 0n, place },
});

describe('startAuditDuty', { timeout: 120_000 }, () => {
  it('makes a made-up root worthless where there is no trace', async () => {
    const envelope = await answered(kit, { finish: FINISH.cancelled }, []);
    store.finishJob(envelope, newLane(envelope.job.channelId, 0));
    await fundLocalRole(kit.challenger, SEAT_BOND);
    const { write, read } = kit.challenger;
    await takeSeats(write, { ...at(), count: 1 });
    const { beacon, drawnAt } = await postAndDraw(envelope);
    const says = { finding: 'right', root: INVENTED } as const;
    const holder = write.account.address;
    for (const place of PLACES) {
      const where = placeOf(place);
      const sealed = { beacon, place: where.place, ...says, holder, salt: SALT };
      await commitReport(write, { ...where, commitment: reportCommitment(sealed) });
    }
    await passed(drawnAt + BigInt(TIMES.commitTime));
    for (const place of PLACES)
      await revealReport(write, { ...placeOf(place), ...says, salt: SALT });
    const posted = { provider: account(1).address, epoch: 1n, index: 0n };
    await passed(drawnAt + BigInt(TIMES.commitTime + TIMES.revealTime + TIMES.disputeTime));
    expect(await readAnswer(read, { ...at(), ...posted })).toMatch(/^0x(?!0{64})[0-9a-f]{64}$/);
    const { receipt } = envelope;
    await settleAudit(write, { ...at(), posted: { ...posted, receipt, proof: [] } });
    for (const place of PLACES)
      expect(await readReport(read, placeOf(place))).toMatchObject({ outcome: 'forfeited' });
  });
});

describe('hasTrace', () => {
  it('is true up to 4,096 positions, and false for answers without a token', async () => {
    const envelope = await answered(kit);
    const { job, receipt } = envelope;
    const ofLength = (inputCount: number) => hasTrace({ ...envelope, job: { ...job, inputCount } });
    expect(ofLength(4_097 - receipt.outputCount)).toBe(true);
    expect(ofLength(4_098 - receipt.outputCount)).toBe(false);
    expect(hasTrace(await answered(kit, { finish: FINISH.cancelled }, []))).toBe(false);
  });
});
