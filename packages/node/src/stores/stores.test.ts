/** The durable stores on a real file: what memory answers is what the disk would, also after a restart. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Lane, newLane, type OpenJob, type Payment } from '@assay/compute';
import { EMPTY_FRONTIER, type Hex, type ReceiptEnvelope, toHex } from '@assay/protocol';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeDatabase, openDatabase } from './database.js';
import { laneTable } from './lane-table.js';
import { openProviderStore } from './provider-store.js';
import { openRequesterStore } from './requester-store.js';

const bytes32 = (value: number): Hex => toHex(Uint8Array.from({ length: 32 }, () => value));
const CHANNEL = bytes32(0xc0);
const PROVIDER: Hex = '0x00000000000000000000000000000000000000a1';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'assay-stores-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = (): string => join(folder, 'store.db');

const laneAt = (lane: number, paid: bigint, owed: bigint, channelId = CHANNEL): Lane => ({
  ...newLane(channelId, lane),
  paid,
  owed,
  receipts: { count: 1, peaks: [bytes32(lane), null] },
});

const voucherOf = ({ channelId, lane, paid }: Lane) => ({
  voucher: { channelId, lane, maxClaimableAmount: paid, receiptRoot: bytes32(1) },
  signature: bytes32(2),
});

const envelopeOf = (id: number): ReceiptEnvelope =>
  ({
    jobId: bytes32(id),
    receipt: { jobId: bytes32(id), price: 5n },
    outputTokens: [1, 2],
  }) as never;

const paymentOf = (id: number, lane: Lane): Payment => ({
  jobId: bytes32(id),
  provider: PROVIDER,
  endpoint: 'http://a',
  voucher: voucherOf(lane),
});

describe('laneTable', () => {
  it('answers what was put, and the same after a restart', () => {
    const change = fc.record({
      channel: fc.constantFrom(bytes32(1), bytes32(2)),
      lane: fc.nat(3),
      paid: fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }),
      owed: fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }),
      signs: fc.boolean(),
    });
    let run = 0;
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        const path = join(folder, `lanes-${run++}.db`);
        const database = openDatabase(path);
        const table = laneTable(database);
        const lanes = new Map<string, Lane>();
        const vouchers = new Map<string, bigint>();
        for (const { channel, lane, paid, owed, signs } of changes) {
          const entry = laneAt(lane, paid, owed, channel);
          table.commit(() => table.put(entry, signs ? voucherOf(entry) : undefined));
          lanes.set(`${channel}/${lane}`, entry);
          if (signs) vouchers.set(`${channel}/${lane}`, paid);
        }
        const check = (found: ReturnType<typeof laneTable>): void => {
          for (const channel of [bytes32(1), bytes32(2)]) {
            let sum = 0n;
            for (let lane = 0; lane < 4; lane++) {
              const expected = lanes.get(`${channel}/${lane}`);
              expect(found.load(channel, lane)).toEqual(expected);
              expect(found.voucher(channel, lane)?.voucher.maxClaimableAmount).toBe(
                vouchers.get(`${channel}/${lane}`),
              );
              if (expected) sum += expected.paid > expected.owed ? expected.paid : expected.owed;
            }
            expect(found.committed(channel)).toBe(sum);
          }
          expect(found.vouchers()).toHaveLength(vouchers.size);
        };
        check(table);
        closeDatabase(database);
        const again = openDatabase(path);
        check(laneTable(again));
        closeDatabase(again);
      }),
      { seed: 0x6c616e65, numRuns: 15 },
    );
  });

  it('forgets what a transaction put that did not come to its end', () => {
    const database = openDatabase(file());
    const table = laneTable(database);
    table.commit(() => table.put(laneAt(0, 5n, 5n)));
    expect(() =>
      table.commit(() => {
        table.put(laneAt(0, 9n, 9n));
        throw new Error('disk full');
      }),
    ).toThrow('disk full');
    expect(table.load(CHANNEL, 0)?.paid).toBe(5n);
    expect(table.committed(CHANNEL)).toBe(5n);
    table.commit(() => table.put(laneAt(1, 2n, 0n)));
    expect(table.committed(CHANNEL)).toBe(7n);
    closeDatabase(database);
    const again = openDatabase(file());
    expect(laneTable(again).load(CHANNEL, 0)?.paid).toBe(5n);
    closeDatabase(again);
  });
});

describe('openProviderStore', () => {
  it('keeps receipts in order and forgets the open job with its receipt', () => {
    const store = openProviderStore(file());
    const lane = laneAt(0, 5n, 5n);
    const open = { jobId: bytes32(7), tokens: [1] } as unknown as OpenJob;
    store.saveLane(lane, voucherOf(lane), open);
    expect(store.openJobs()).toEqual([open]);
    store.finishJob(envelopeOf(7), lane);
    store.finishJob(envelopeOf(3), lane);
    expect(store.openJobs()).toEqual([]);
    store.close();
    const again = openProviderStore(file());
    expect(again.loadReceipt(bytes32(3))).toEqual(envelopeOf(3));
    expect(again.loadReceipt(bytes32(4))).toBeUndefined();
    const all = again.receiptsAfter(0);
    expect(all.map(({ envelope }) => envelope.jobId)).toEqual([bytes32(7), bytes32(3)]);
    expect(again.receiptsAfter(all[0]!.sequence)).toHaveLength(1);
    expect(again.loadVoucher(CHANNEL, 0)).toEqual(voucherOf(lane));
    again.close();
  });

  it('drops an open job that an earlier process left', () => {
    const lane = laneAt(0, 5n, 5n);
    const open = { jobId: bytes32(7), tokens: [1] } as unknown as OpenJob;
    const store = openProviderStore(file());
    store.saveLane(lane, voucherOf(lane), open);
    store.close();
    const again = openProviderStore(file());
    again.finishJob(envelopeOf(7), lane);
    expect(again.openJobs()).toEqual([]);
    again.close();
  });

  it('remembers the terms of a channel as they were first', () => {
    const store = openProviderStore(file());
    const config = { payer: bytes32(1) } as never;
    store.saveChannel(CHANNEL, config);
    store.saveChannel(CHANNEL, { payer: bytes32(2) } as never);
    store.close();
    const again = openProviderStore(file());
    again.saveChannel(CHANNEL, { payer: bytes32(3) } as never);
    expect(again.loadChannel(CHANNEL)).toEqual(config);
    again.close();
  });
});

describe('openRequesterStore', () => {
  it('owes one voucher per lane, the last, until that one is delivered', () => {
    const store = openRequesterStore(file());
    const [first, second] = [laneAt(0, 5n, 5n), laneAt(0, 9n, 9n)];
    store.finishJob(envelopeOf(1), first, paymentOf(1, first));
    store.finishJob(envelopeOf(2), second, paymentOf(2, second));
    store.delivered(paymentOf(1, first));
    expect(store.undelivered()).toEqual([paymentOf(2, second)]);
    store.close();
    const again = openRequesterStore(file());
    expect(again.undelivered()).toEqual([paymentOf(2, second)]);
    again.delivered(paymentOf(2, second));
    expect(again.undelivered()).toEqual([]);
    expect(again.loadLane(CHANNEL, 0)).toEqual(second);
    again.close();
  });

  it('keeps a receipt that is not booked yet, whatever happens to the process', () => {
    const lane = laneAt(0, 5n, 5n);
    const store = openRequesterStore(file());
    const kept = [1, 2].map((id) => ({ envelope: envelopeOf(id), endpoint: 'http://a' }));
    for (const each of kept) store.keepReceipt(each);
    store.finishJob(envelopeOf(2), lane, paymentOf(2, lane));
    store.forwarded([bytes32(1)]);
    store.close();
    const again = openRequesterStore(file());
    expect(again.unbookedReceipts()).toEqual(kept.slice(0, 1));
    expect(again.unforwarded()).toEqual([envelopeOf(1), envelopeOf(2)]);
    again.finishJob(envelopeOf(1), lane, paymentOf(1, lane));
    expect(again.unbookedReceipts()).toEqual([]);
    expect(again.unforwarded()).toEqual([envelopeOf(1), envelopeOf(2)]);
    again.forwarded([bytes32(1), bytes32(2)]);
    expect(again.unforwarded()).toEqual([]);
    again.close();
  });

  it('keeps receipts in its outbox until they are forwarded', () => {
    const store = openRequesterStore(file());
    const lane = laneAt(0, 5n, 5n);
    for (const id of [3, 1, 2]) store.finishJob(envelopeOf(id), lane, paymentOf(id, lane));
    store.forwarded([bytes32(1), bytes32(9)]);
    store.close();
    const again = openRequesterStore(file());
    expect(again.unforwarded()).toEqual([envelopeOf(3), envelopeOf(2)]);
    again.forwarded([bytes32(3), bytes32(2)]);
    expect(again.unforwarded()).toEqual([]);
    again.close();
  });

  it('forgets an unsettled job with its receipt, also one of an earlier process', () => {
    const lane = { ...laneAt(0, 5n, 0n), receipts: EMPTY_FRONTIER };
    const open = { jobId: bytes32(1), heads: [] } as never;
    const store = openRequesterStore(file());
    store.payIncrement(lane, voucherOf(lane), open);
    expect(store.unsettledJobs()).toEqual([open]);
    store.close();
    const again = openRequesterStore(file());
    expect(again.unsettledJobs()).toEqual([open]);
    again.finishJob(envelopeOf(1), lane, paymentOf(1, lane));
    expect(again.unsettledJobs()).toEqual([]);
    again.close();
  });
});
