/** The newest audits of the network: which receipt, by whom, what was found, and the money that it moved. */
import { Fragment, type ReactNode } from 'react';
import { formatCount, formatPrice, shortenHex } from '../format.js';
import type { AuditAnswer, NetworkAnswer } from '../gateway.js';
import { findingSign, moneyWords } from '../receipt/audits.js';
import { receiptHref } from '../route.js';

export type AuditListProps = {
  readonly audits: readonly AuditAnswer[];
  readonly summary: NetworkAnswer['audits'];
};

export function AuditList({ audits, summary }: AuditListProps): ReactNode {
  return (
    <section className="audit-part" aria-labelledby="audits-title">
      <h3 id="audits-title">Audits</h3>
      {summary !== undefined && <p className="audit-summary">{summaryLine(summary)}</p>}
      {audits.length === 0 ? (
        <p className="empty">
          No receipt was drawn so far. A drawn one is re-computed by verifiers that put a bond down.
        </p>
      ) : (
        <ul className="audit-list">
          {audits.map((audit) => (
            <li key={`${audit.provider}:${audit.epoch}:${audit.index}`}>
              <Audit audit={audit} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function summaryLine(summary: NonNullable<NetworkAnswer['audits']>): string {
  const { seats, audits, right, wrong, fees, lost } = summary;
  const found = `${formatCount(right)} reports right, ${formatCount(wrong)} wrong`;
  const money = `${formatPrice(fees)} paid${lost === '0' ? '' : `, ${formatPrice(lost)} of bonds lost`}`;
  const by = `${formatCount(seats)} ${seats === 1 ? 'seat' : 'seats'}`;
  return `${formatCount(audits)} by ${by}: ${found}; ${money}`;
}

function Audit({ audit }: { readonly audit: AuditAnswer }): ReactNode {
  const { jobId, reports } = audit;
  return (
    <>
      {jobId === null ? (
        <span>not told yet</span>
      ) : (
        <a href={receiptHref(jobId)}>{shortenHex(jobId)}</a>
      )}
      <dl>
        {reports.map((report) => (
          <Fragment key={report.place}>
            <dt>
              <code title={report.verifier}>{shortenHex(report.verifier)}</code>
            </dt>
            <dd>
              {findingSign(report)}, {moneyWords(report)}
            </dd>
          </Fragment>
        ))}
      </dl>
    </>
  );
}
