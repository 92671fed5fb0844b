import fc from 'fast-check';
import { hashTypedData } from 'viem';
import { describe, expect, it } from 'vitest';
import { type Hex, toHex } from './hex.js';
import * as messages from './typed-data.js';

const bytes = (size: number) =>
  fc.uint8Array({ minLength: size, maxLength: size }).map((value): Hex => toHex(value));
const uint = (bits: number) => fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n });
const uint32 = fc.nat(0xffff_ffff);
const domain = fc.record({
  name: fc.string(),
  version: fc.constantFrom('1', '2'),
  chainId: fc.nat(100_000),
  verifyingContract: bytes(20),
});
const job = fc.record({
  modelId: bytes(32),
  provider: bytes(20),
  requester: bytes(20),
  channelId: bytes(32),
  lane: uint32,
  tier: fc.nat(255),
  inputRoot: bytes(32),
  traceKeyHash: bytes(32),
  inputCount: uint32,
  outputCountMax: uint32,
  sampler: fc.record({
    tau: uint32,
    topK: uint32,
    topP: uint32,
    minP: uint32,
    seed: bytes(32),
    stopIds: fc.array(uint32, { maxLength: 5 }),
    controls: bytes(32),
  }),
  inputPrice: uint(128),
  outputPrice: uint(128),
  expiresAt: uint(64),
  nonce: bytes(32),
});
const receipt = fc.record({
  jobId: bytes(32),
  outputRoot: bytes(32),
  outputCount: uint32,
  finish: fc.constantFrom(0 as const, 1 as const, 2 as const),
  streamHead: bytes(32),
  price: uint(128),
  completedAt: uint(64),
});
const laneVoucher = fc.record({
  channelId: bytes(32),
  lane: uint32,
  maxClaimableAmount: uint(128),
  receiptRoot: bytes(32),
});
const channel = fc.record({
  payer: bytes(20),
  payerAuthorizer: bytes(20),
  receiver: bytes(20),
  receiverAuthorizer: bytes(20),
  token: bytes(20),
  withdrawDelay: fc.nat(2 ** 31),
  salt: bytes(32),
});

describe('digests', () => {
  it('of jobs, receipts, vouchers, heads and channels are those of viem', () => {
    fc.assert(
      fc.property(
        domain,
        job,
        receipt,
        laneVoucher,
        channel,
        (where, aJob, aReceipt, voucher, config) => {
          const { JOB_TYPES, RECEIPT_TYPES, LANE_VOUCHER_TYPES, CHANNEL_TYPES } = messages;
          expect(messages.jobId(where, aJob)).toBe(
            hashTypedData({ domain: where, types: JOB_TYPES, primaryType: 'Job', message: aJob }),
          );
          expect(messages.hashReceipt(where, aReceipt)).toBe(
            hashTypedData({
              domain: where,
              types: RECEIPT_TYPES,
              primaryType: 'Receipt',
              message: aReceipt,
            }),
          );
          expect(messages.hashLaneVoucher(where, voucher)).toBe(
            hashTypedData({
              domain: where,
              types: LANE_VOUCHER_TYPES,
              primaryType: 'LaneVoucher',
              message: voucher,
            }),
          );
          expect(messages.channelId(where, config)).toBe(
            hashTypedData({
              domain: where,
              types: CHANNEL_TYPES,
              primaryType: 'ChannelConfig',
              message: config,
            }),
          );
        },
      ),
      { seed: 712, numRuns: 60 },
    );
  });
});
