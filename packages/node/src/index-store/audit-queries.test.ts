/** Hand-built logs of the audits contract, in pages, through the real fold into a real database, forwards and back. */
import type { Hex } from '@assay/protocol';
import { auditsAbi } from '@assay/protocol/abi';
import {
  type AbiEvent,
  type AbiParameter,
  encodeAbiParameters,
  encodeEventTopics,
  getAddress,
} from 'viem';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { auditIndex, fingerprint } from './audit.js';
import { auditsOf, auditTotals, listAudits, seatTotals } from './audit-queries.js';
import type { ChainLog } from './chain-reader.js';
import { type IndexStore, openIndexStore } from './database.js';
import { CONTRACT_NAMES, type ContractName } from './events.js';
import { applyPage, beginIndex, type Cursor, readCursor, rollBack } from './ledger.js';

const bytes = (value: number, size: number): Hex =>
  `0x${value.toString(16).padStart(2 * size, '0')}`;
const contracts = Object.fromEntries(
  CONTRACT_NAMES.map((name, at) => [name, bytes(0xc0 + at, 20)]),
) as { [C in ContractName]: Hex };
const [provider, ann, bob] = [1, 2, 3].map((at) => getAddress(bytes(at, 20))) as [Hex, Hex, Hex];
const job = bytes(0x10b, 32);
const root = bytes(0x4007, 32);
const FINDING = { right: 1, wrong: 2, abstained: 3 };
const OUTCOME = { paid: 1, unpaid: 2, absent: 3, forfeited: 4 };
const draw = {
  ...{ beacon: bytes(7, 32), count: 9n, postedBlock: 2n, drawnAt: 1_000n, seatCount: 3 },
};
const at = (index: bigint, place: number, holder: Hex) => ({
  ...{ provider, epoch: 40n, index, place, holder },
});

let store: IndexStore;
beforeEach(async () => {
  store = await openIndexStore({ path: ':memory:' });
  const cursor: Cursor = {
    ...{ number: 0, hash: bytes(0, 32), identity: { chainId: 1, genesisHash: bytes(0, 32) } },
    followed: { contracts, token: bytes(9, 20), startBlock: 0 },
  };
  await beginIndex(store, { expected: undefined, cursor });
});
afterEach(() => store.close());

type Told = readonly [name: string, args: Readonly<Record<string, unknown>>];

function logOf([name, args]: Told, blockNumber: number, logIndex: number): ChainLog {
  const event = auditsAbi.find((item) => item.type === 'event' && item.name === name) as AbiEvent;
  const plain = event.inputs.filter(({ indexed }) => indexed !== true) as AbiParameter[];
  const values = plain.map((input) => args[input.name!]);
  return {
    ...{ blockNumber, logIndex, blockHash: bytes(blockNumber, 32), transactionHash: bytes(5, 32) },
    address: contracts.audits,
    topics: encodeEventTopics({ abi: [event], args } as never) as Hex[],
    data: encodeAbiParameters(plain, values),
    timestamp: 1_000 + blockNumber,
  };
}

/** Appends one block with these events. */
async function block(...told: readonly Told[]): Promise<void> {
  const cursor = (await readCursor(store))!;
  const number = cursor.number + 1;
  const logs = told.map((one, index) => logOf(one, number, index));
  const timestamps = new Map([[number, 1_000 + number]]);
  const to = { number, hash: bytes(number, 32) };
  expect(await applyPage(store, { cursor, to, logs, timestamps })).toBe(true);
}

async function cutTo(number: number): Promise<void> {
  const cursor = (await readCursor(store))!;
  expect(await rollBack(store, { cursor, to: { number, hash: bytes(number, 32) } })).toBe(true);
}

/** Two reports on receipt 4, one silent seat on receipt 6. */
async function play(): Promise<void> {
  await block(
    ['SeatTaken', { seat: 0, holder: ann }],
    ['SeatTaken', { seat: 1, holder: ann }],
    ['SeatTaken', { seat: 2, holder: bob }],
  );
  await block(['EpochDrawn', { provider, epoch: 40n, draw }]);
  await block(['ReportCommitted', at(4n, 0, ann)], ['ReportCommitted', at(4n, 1, bob)]);
  await block(
    ['ReportRevealed', { ...at(4n, 0, ann), finding: FINDING.right, root }],
    ['AuditAnswered', { ...at(4n, 0, ann), jobId: job, root, signature: '0x1234' }],
    ['ReportRevealed', { ...at(4n, 1, bob), finding: FINDING.right, root: bytes(8, 32) }],
  );
  const settled = { jobId: job, finding: FINDING.right };
  await block(
    ['ReportSettled', { ...at(4n, 0, ann), ...settled, outcome: OUTCOME.paid, amount: 30n }],
    [
      'ReportSettled',
      {
        ...at(6n, 1, bob),
        jobId: bytes(0x10c, 32),
        finding: 0,
        outcome: OUTCOME.absent,
        amount: 5n,
      },
    ],
    ['SeatLeaving', { seat: 2, holder: bob, readyAt: 2_000n }],
  );
  await block(
    ['ReportSettled', { ...at(4n, 1, bob), ...settled, outcome: OUTCOME.forfeited, amount: 900n }],
    ['SeatLeft', { seat: 2, holder: bob, amount: 95n }],
  );
}

describe('auditsOf', () => {
  it('tells what was found, who stands by which root, and what came of it', async () => {
    await play();
    expect(await auditsOf(store, job)).toEqual([
      {
        ...{ jobId: job, provider, epoch: 40n, index: 4n, drawnAtSeconds: 1_000, root },
        planted: false,
        reports: [
          {
            ...{ place: 0, verifier: ann, finding: FINDING.right, root },
            ...{ outcome: OUTCOME.paid, amount: 30n },
          },
          {
            ...{ place: 1, verifier: bob, finding: FINDING.right, root: bytes(8, 32) },
            ...{ outcome: OUTCOME.forfeited, amount: 900n },
          },
        ],
      },
    ]);
  });

  it('knows no job that the chain has not named', async () => {
    await block(
      ['EpochDrawn', { provider, epoch: 40n, draw }],
      ['ReportCommitted', at(4n, 0, ann)],
    );
    expect(await auditsOf(store, job)).toEqual([]);
    expect(await listAudits(store)).toMatchObject([
      { jobId: undefined, reports: [{ finding: 0 }] },
    ]);
  });

  it('says when the fault was planted', async () => {
    const opened = { ...at(4n, 0, ann), jobId: job, planter: bob };
    await block(
      ['PlantCommitted', { commitment: bytes(0xfa, 32), planter: bob }],
      ['PlantOpened', opened],
    );
    expect(await auditsOf(store, job)).toMatchObject([{ planted: true, root: undefined }]);
  });
});

describe('listAudits', () => {
  it('has the last change first, and no more than were asked for', async () => {
    await play();
    expect((await listAudits(store)).map(({ index }) => index)).toEqual([4n, 6n]);
    expect(await listAudits(store, { limit: 1 })).toHaveLength(1);
    await expect(listAudits(store, { limit: 0 })).rejects.toMatchObject({ code: 'index_argument' });
  });
});

describe('auditTotals', () => {
  it('counts findings, outcomes and money, of all and of one provider', async () => {
    await play();
    const totals = {
      ...{ audits: 2, right: 2, wrong: 0, abstained: 0 },
      ...{ paid: 1, unpaid: 0, absent: 1, forfeited: 1, fees: 30n, lost: 905n },
    };
    expect(await auditTotals(store)).toEqual(totals);
    expect(await auditTotals(store, provider)).toEqual(totals);
    expect(await auditTotals(store, ann)).toMatchObject({ audits: 0, fees: 0n });
  });

  it('follows a reorganisation back and forth, to the same rows', async () => {
    await play();
    const whole = await fingerprint(store);
    await cutTo(4);
    expect(await auditTotals(store)).toMatchObject({ audits: 1, right: 2, paid: 0, fees: 0n });
    expect(await auditIndex(store)).toMatchObject({ identical: true });
    await cutTo(0);
    expect(await auditTotals(store)).toMatchObject({ audits: 0, right: 0 });
    expect(await seatTotals(store)).toEqual({ seats: 0, verifiers: 0 });
    await play();
    expect(await fingerprint(store)).toEqual(whole);
    expect(await auditIndex(store)).toMatchObject({ identical: true });
  });
});

describe('seatTotals', () => {
  it('counts seats that are taken and not given up', async () => {
    await play();
    expect(await seatTotals(store)).toEqual({ seats: 2, verifiers: 1 });
  });
});
