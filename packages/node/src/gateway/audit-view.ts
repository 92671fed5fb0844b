/**
 * Audits as the gateway shows them: what the index read from the chain, with the contract's numbers as words. Money in
 * atomic units.
 */
import { FINDINGS, OUTCOMES } from '@assay/compute';
import type { Address, Hex } from '@assay/protocol';
import {
  type AuditTotals,
  auditsOf,
  auditTotals,
  type IndexStore,
  type ListedAudit,
  type ListedReport,
  listAudits,
  type SeatTotals,
  seatTotals,
} from '../index-store/index.js';

export type ReportDocument = {
  readonly place: number;
  readonly verifier: Address;
  /** Null until the report was shown, and for who kept silent. */
  readonly finding: 'right' | 'wrong' | 'abstained' | null;
  /** Root of the honest trace, as the verifier computed it. */
  readonly root: Hex | null;
  /** Null while it is open. */
  readonly outcome: 'paid' | 'unpaid' | 'absent' | 'forfeited' | null;
  /** Fee, or what was lost of the bond. */
  readonly amount: bigint;
};

export type AuditDocument = {
  /** Null until the chain says which receipt it is. */
  readonly jobId: Hex | null;
  readonly provider: Address;
  readonly epoch: string;
  readonly index: string;
  /** Unix milliseconds. */
  readonly drawnAt: number;
  /** The trace root that the provider stands by; null while it is silent. */
  readonly root: Hex | null;
  readonly planted: boolean;
  readonly reports: readonly ReportDocument[];
};

export type AuditSummary = AuditTotals & SeatTotals;

export type AuditView = {
  /** The one that changed last first. */
  readonly list: (limit: number) => Promise<readonly AuditDocument[]>;
  readonly of: (jobId: Hex) => Promise<readonly AuditDocument[]>;
  readonly summary: () => Promise<AuditSummary>;
};

export const createAuditView = (store: IndexStore): AuditView => ({
  list: async (limit) => (await listAudits(store, { limit })).map(documentOf),
  of: async (jobId) => (await auditsOf(store, jobId)).map(documentOf),
  summary: async () => ({ ...(await auditTotals(store)), ...(await seatTotals(store)) }),
});

const documentOf = (audit: ListedAudit): AuditDocument => ({
  jobId: audit.jobId ?? null,
  provider: audit.provider,
  epoch: String(audit.epoch),
  index: String(audit.index),
  drawnAt: audit.drawnAtSeconds * 1_000,
  root: audit.root ?? null,
  planted: audit.planted,
  reports: audit.reports.map(reportOf),
});

function reportOf({
  place,
  verifier,
  finding,
  root,
  outcome,
  amount,
}: ListedReport): ReportDocument {
  const found = FINDINGS[finding] ?? 'none';
  const ended = OUTCOMES[outcome] ?? 'none';
  return {
    place,
    verifier,
    finding: found === 'none' ? null : found,
    root: found === 'right' || found === 'wrong' ? (root ?? null) : null,
    outcome: ended === 'none' ? null : ended,
    amount,
  };
}
