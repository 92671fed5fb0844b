/** The court: what was disputed on this network, and one case opened as a person wants to see it. */
import type { ReactNode } from 'react';
import { formatPrice, shortenHex } from '../format.js';
import type { DisputeAnswer } from '../gateway.js';
import { Notice } from '../parts/notice.js';
import { courtHref } from '../route.js';
import { CaseSheet } from './case-sheet.js';
import { stateWords } from './state-words.js';
import { useDisputes } from './use-disputes.js';
import './court.css';

export function CourtView({ jobId }: { readonly jobId: string | undefined }): ReactNode {
  const { list, failure } = useDisputes();
  const chosen = list?.find((dispute) => dispute.jobId.toLowerCase() === jobId);
  return (
    <section className="court" aria-labelledby="court-title">
      <h2 id="court-title">The court</h2>
      <p className="court-lead">
        A provider that signs a wrong result loses its stake to a proof that a contract checks by
        itself. Nobody votes, and nobody is asked.
      </p>
      {failure !== null && <Notice failure={failure} />}
      {list === null && failure === null && <p className="empty">Asking the gateway…</p>}
      {list !== null && list.length === 0 && (
        <p className="empty">
          No disputes. To see one: <code>assay demo dispute --fault flip-activation</code>
        </p>
      )}
      {jobId !== undefined && list !== null && chosen === undefined && (
        <p className="empty">The court has not heard of this job.</p>
      )}
      {chosen !== undefined && <CaseSheet dispute={chosen} />}
      {list !== null && list.length > 0 && <Docket list={list} jobId={jobId} />}
    </section>
  );
}

function Docket({
  list,
  jobId,
}: {
  readonly list: readonly DisputeAnswer[];
  readonly jobId: string | undefined;
}): ReactNode {
  return (
    <table className="docket">
      <caption>Cases, the newest first</caption>
      <thead>
        <tr>
          <th scope="col">Job</th>
          <th scope="col">Provider</th>
          <th scope="col">State</th>
          <th scope="col">Taken</th>
        </tr>
      </thead>
      <tbody>
        {[...list].reverse().map((dispute) => (
          <tr
            key={dispute.jobId}
            aria-current={dispute.jobId.toLowerCase() === jobId ? 'true' : undefined}
          >
            <td>
              <a href={courtHref(dispute.jobId)}>{shortenHex(dispute.jobId)}</a>
            </td>
            <td>{shortenHex(dispute.provider)}</td>
            <td>{stateWords(dispute.state)}</td>
            <td>{dispute.money === null ? '' : formatPrice(dispute.money.taken)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
