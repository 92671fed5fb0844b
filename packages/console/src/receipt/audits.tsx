/** The audits of a receipt: who was drawn to re-compute it, what each of them found, and what that earned or cost. */
import type { ReactNode } from 'react';
import { formatPrice, shortenHex } from '../format.js';
import type { AuditAnswer, AuditReport } from '../gateway.js';
import { CrossIcon, TickIcon } from '../parts/icons.js';
import { auditLine, findingWords, outcomeWords } from './audit-words.js';

export function Audits({ audits }: { readonly audits: readonly AuditAnswer[] }): ReactNode {
  if (audits.length === 0) return null;
  return (
    <section className="audits" aria-label="Audits">
      <h4>Audits</h4>
      {audits.map((audit) => (
        <Audit key={`${audit.epoch}:${audit.index}`} audit={audit} />
      ))}
    </section>
  );
}

function Audit({ audit }: { readonly audit: AuditAnswer }): ReactNode {
  return (
    <>
      <p className="audit-line">{auditLine(audit)}</p>
      <ul className="audit-reports">
        {audit.reports.map((report) => (
          <li key={report.place}>
            <code title={report.verifier}>{shortenHex(report.verifier)}</code>
            <span>{findingSign(report)}</span>
            <span className="audit-outcome">{moneyWords(report)}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

export function findingSign(report: AuditReport): ReactNode {
  const words = findingWords(report);
  if (report.finding === 'right')
    return (
      <span className="sign-identical">
        <TickIcon /> {words}
      </span>
    );
  if (report.finding === 'wrong')
    return (
      <span className="sign-different">
        <CrossIcon /> {words}
      </span>
    );
  return words;
}

/** `paid $0.000002`, `forfeited, lost $10.00`. */
export function moneyWords(report: AuditReport): string {
  const words = outcomeWords(report);
  const moved = report.outcome !== null && report.outcome !== 'unpaid';
  return moved ? `${words} ${formatPrice(report.amount)}` : words;
}
