/** Audits in words. */
import { formatCounted } from '../format.js';
import type { AuditAnswer, AuditReport } from '../gateway.js';

/** What a verifier found; a report stays sealed until all had to commit themselves. */
export function findingWords({ finding, outcome }: AuditReport): string {
  if (finding !== null) return finding;
  return outcome === 'absent' ? 'kept silent' : 'sealed';
}

const OUTCOME_WORDS = {
  paid: 'paid',
  unpaid: 'unpaid',
  absent: 'absent, lost',
  forfeited: 'forfeited, lost',
} as const;

export const outcomeWords = ({ outcome }: AuditReport): string =>
  outcome === null ? 'open' : OUTCOME_WORDS[outcome];

/** `Audited by 2 verifiers: right`, or how many seats found what. */
export function auditLine({ reports, planted }: AuditAnswer): string {
  const verifiers = new Set(reports.map(({ verifier }) => verifier.toLowerCase())).size;
  const counts = new Map<string, number>();
  for (const report of reports) {
    const words = findingWords(report);
    counts.set(words, (counts.get(words) ?? 0) + 1);
  }
  const [only] = counts.keys();
  const found =
    counts.size === 1 ? only : [...counts].map(([words, count]) => `${count} ${words}`).join(', ');
  const seats = reports.length > verifiers ? ` with ${reports.length} seats` : '';
  const line = `Audited by ${formatCounted(verifiers, 'verifier')}${seats}: ${found}`;
  return planted ? `${line}; the fault was planted` : line;
}
