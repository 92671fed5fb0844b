/**
 * Audits as the index tells them: what was reported about a receipt, what came of it, who holds seats. The chain is
 * right about all of it; how the words are shown is the asker's business.
 */
import type { Address, Hex } from '@assay/protocol';
import { getAddress } from 'viem';
import type { IndexStore } from './database.js';
import { indexArgument } from './errors.js';
import { checkHex } from './receipts.js';
import { readRows } from './rows.js';
import type { AuditRow, AuditSumRow, DrawRow, ReportRow } from './schema.js';
import { NETWORK_AUDITS } from './sums.js';

/** Most audits in one answer. */
const AUDITS_MAX = 1_000;

/** Epochs in which one receipt is looked for: a provider that posts it again and again gains nothing by it. */
const AUDITS_OF_JOB_MAX = 16;

export type ListedReport = {
  readonly place: number;
  readonly verifier: Address;
  /** Number of `IAudits.Finding`; 0 until it was shown. */
  readonly finding: number;
  readonly root: Hex | undefined;
  /** Number of `IAudits.Outcome`; 0 while it is open. */
  readonly outcome: number;
  /** Fee paid, or bond and penalty lost. */
  readonly amount: bigint;
};

export type ListedAudit = {
  /** Unknown until the chain says which receipt it is. */
  readonly jobId: Hex | undefined;
  readonly provider: Address;
  readonly epoch: bigint;
  readonly index: bigint;
  readonly drawnAtSeconds: number;
  /** The trace root that the provider stands by. */
  readonly root: Hex | undefined;
  readonly planted: boolean;
  /** By place. */
  readonly reports: readonly ListedReport[];
};

export type AuditTotals = {
  readonly audits: number;
  readonly right: number;
  readonly wrong: number;
  readonly abstained: number;
  readonly paid: number;
  readonly unpaid: number;
  readonly absent: number;
  readonly forfeited: number;
  readonly fees: bigint;
  readonly lost: bigint;
};

/** Seats that are taken and not given up, and the verifiers that hold them. */
export type SeatTotals = { readonly seats: number; readonly verifiers: number };

/** Audits, the one that changed last first. */
export async function listAudits(
  store: IndexStore,
  filter: { readonly limit?: number } = {},
): Promise<ListedAudit[]> {
  const { limit = AUDITS_MAX } = filter;
  if (!Number.isInteger(limit) || limit < 1 || limit > AUDITS_MAX)
    throw indexArgument('limit', limit, `1 to ${AUDITS_MAX}`);
  const rows = await store.db
    .selectFrom('audits')
    .selectAll()
    .orderBy('block_number', 'desc')
    .orderBy('draw_id')
    .orderBy('receipt_index')
    .limit(limit)
    .execute();
  return listed(store, rows);
}

/** Audits of one receipt: one, unless its provider posted it in several epochs. */
export async function auditsOf(store: IndexStore, jobId: Hex): Promise<ListedAudit[]> {
  const rows = await store.db
    .selectFrom('audits')
    .selectAll()
    .where('job_id', '=', checkHex(jobId, 32))
    .orderBy('block_number', 'desc')
    .limit(AUDITS_OF_JOB_MAX)
    .execute();
  return listed(store, rows);
}

/** Sums over all audits, or over those of one provider. */
export async function auditTotals(store: IndexStore, provider?: Address): Promise<AuditTotals> {
  const value = provider === undefined ? NETWORK_AUDITS : `provider:${checkHex(provider, 20)}`;
  const [row] = await readRows(store.db, {
    table: 'audit_sums',
    column: 'sum_id',
    values: [value],
  });
  return totalsOf(row);
}

export async function seatTotals(store: IndexStore): Promise<SeatTotals> {
  const { count } = store.db.fn;
  const found = await store.db
    .selectFrom('seats')
    .select([
      count<number>('seat_id').as('seats'),
      count<number>('holder').distinct().as('holders'),
    ])
    .where('state', '=', 0)
    .executeTakeFirstOrThrow();
  return { seats: Number(found.seats), verifiers: Number(found.holders) };
}

const totalsOf = (row: AuditSumRow | undefined): AuditTotals => ({
  audits: row?.audits ?? 0,
  right: row?.found_right ?? 0,
  wrong: row?.found_wrong ?? 0,
  abstained: row?.abstained ?? 0,
  paid: row?.paid ?? 0,
  unpaid: row?.unpaid ?? 0,
  absent: row?.absent ?? 0,
  forfeited: row?.forfeited ?? 0,
  fees: BigInt(row?.fees ?? 0),
  lost: BigInt(row?.lost ?? 0),
});

async function listed(store: IndexStore, rows: readonly AuditRow[]): Promise<ListedAudit[]> {
  const values = [...new Set(rows.map(({ draw_id }) => draw_id))];
  const draws = await readRows(store.db, { table: 'draws', column: 'draw_id', values });
  const reports = await readRows(store.db, { table: 'reports', column: 'draw_id', values });
  const byId = new Map(draws.map((row) => [row.draw_id, row]));
  const byAudit = new Map<string, ReportRow[]>();
  for (const report of reports) {
    const known = byAudit.get(keyOf(report));
    if (known === undefined) byAudit.set(keyOf(report), [report]);
    else known.push(report);
  }
  return rows.map((row) => listedAudit(row, byId.get(row.draw_id), byAudit.get(keyOf(row)) ?? []));
}

const keyOf = (row: { readonly draw_id: string; readonly receipt_index: string }): string =>
  `${row.draw_id}:${row.receipt_index}`;

function listedAudit(
  row: AuditRow,
  draw: DrawRow | undefined,
  reports: readonly ReportRow[],
): ListedAudit {
  const [provider, epoch] = row.draw_id.split(':') as [string, string];
  return {
    jobId: hexOf(row.job_id),
    provider: getAddress(provider),
    epoch: BigInt(epoch),
    index: BigInt(row.receipt_index),
    drawnAtSeconds: draw?.drawn_at_seconds ?? 0,
    root: hexOf(row.root),
    planted: row.planted === 1,
    reports: reports.map(listedReport).sort((a, b) => a.place - b.place),
  };
}

const listedReport = (row: ReportRow): ListedReport => ({
  place: row.place,
  verifier: getAddress(row.holder),
  finding: row.finding,
  root: hexOf(row.root),
  outcome: row.outcome,
  amount: BigInt(row.amount),
});

const hexOf = (text: string): Hex | undefined => (text === '' ? undefined : (text as Hex));
