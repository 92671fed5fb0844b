import type { Hex } from '@assay/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyVoucher, completeJob, dropJob, newLane, nextVoucher, startJob } from './lane.js';

const CHANNEL: Hex = `0x${'11'.repeat(32)}`;
const digest = (value: number): Hex => `0x${value.toString(16).padStart(64, '0')}`;
const code = (expected: string) => expect.objectContaining({ code: expected });

describe('lane', () => {
  it('pays a job in increments and ends idle with nothing owed', () => {
    let lane = startJob(newLane(CHANNEL, 3));
    lane = applyVoucher(lane, nextVoucher(lane, 40n), 40n);
    expect(lane).toMatchObject({ status: 'running', paid: 40n, owed: 0n });
    lane = completeJob(lane, digest(1), 55n);
    expect(lane).toMatchObject({ status: 'owing', paid: 40n, owed: 55n });
    lane = applyVoucher(lane, nextVoucher(lane, 0n), 0n);
    expect(lane).toMatchObject({ status: 'idle', paid: 55n, owed: 55n });
  });

  it('refuses a second job while one runs or is unpaid', () => {
    const running = startJob(newLane(CHANNEL, 0));
    expect(() => startJob(running)).toThrow(code('lane_busy'));
    expect(() => startJob(completeJob(running, digest(1), 5n))).toThrow(code('lane_unpaid'));
  });

  it('refuses vouchers that fall, overpay, or acknowledge other receipts', () => {
    let lane = startJob(newLane(CHANNEL, 0));
    lane = applyVoucher(lane, nextVoucher(lane, 10n), 10n);
    expect(() => applyVoucher(lane, nextVoucher(lane, 9n), 20n)).toThrow(code('voucher_stale'));
    expect(() => applyVoucher(lane, nextVoucher(lane, 21n), 20n)).toThrow(
      code('malformed_message'),
    );
    const overtaken = { ...nextVoucher(lane, 10n), receiptRoot: digest(9) };
    expect(() => applyVoucher(lane, overtaken, 20n)).toThrow(code('voucher_stale'));
    const foreign = { ...nextVoucher(lane, 20n), receiptRoot: digest(9) };
    expect(() => applyVoucher(lane, foreign, 20n)).toThrow(code('malformed_message'));
    const otherLane = { ...nextVoucher(lane, 20n), lane: 1 };
    expect(() => applyVoucher(lane, otherLane, 20n)).toThrow(code('malformed_message'));
  });

  it('drops a job only while it is unpaid', () => {
    const lane = startJob(newLane(CHANNEL, 0));
    expect(dropJob(lane).status).toBe('idle');
    expect(() => dropJob(applyVoucher(lane, nextVoucher(lane, 1n), 1n))).toThrow('invariant');
  });

  it('INVARIANT: paid never exceeds owed when idle, over any history', () => {
    const job = fc.record({
      parts: fc.array(fc.nat(1_000), { maxLength: 4 }),
      rest: fc.nat(1_000),
    });
    fc.assert(
      fc.property(fc.array(job, { maxLength: 12 }), (jobs) => {
        let lane = newLane(CHANNEL, 0);
        let total = 0n;
        jobs.forEach(({ parts, rest }, index) => {
          lane = startJob(lane);
          let price = 0n;
          for (const part of parts) {
            price += BigInt(part);
            lane = applyVoucher(lane, nextVoucher(lane, price), price);
          }
          price += BigInt(rest);
          lane = completeJob(lane, digest(index + 1), price);
          lane = applyVoucher(lane, nextVoucher(lane, 0n), 0n);
          total += price;
          expect(lane).toMatchObject({ status: 'idle', paid: total, owed: total });
        });
        expect(lane.receipts.count).toBe(jobs.length);
      }),
      { seed: 3, numRuns: 60 },
    );
  });
});
