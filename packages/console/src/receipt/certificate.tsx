/**
 * A receipt opened up: what the provider states, what it is worth, how the price comes about, and
 * its checks.
 */
import { type ReactNode, useEffect, useState } from 'react';
import { type Failure, mergeCheck } from '../conversation.js';
import { formatMoment } from '../format.js';
import {
  type Check,
  type EnvelopeJson,
  type ReceiptAnswer,
  readReceipt,
  toAssayError,
} from '../gateway.js';
import { HexValue } from '../parts/hex-value.js';
import { Notice } from '../parts/notice.js';
import { receiptHref } from '../route.js';
import { Explanation, finishWords, PriceSum } from './explanation.js';
import './certificate.css';
import { Audits } from './audits.js';
import { Recomputation } from './recomputation.js';

export type CertificateProps = {
  readonly jobId: string;
  readonly check?: Check | null | undefined;
  readonly onChecked?: (check: Check) => void;
  readonly speed?: string | undefined;
  readonly shownText?: string | undefined;
  /** On its own page it needs no link to itself. */
  readonly standalone?: boolean;
};

export function Certificate({
  jobId,
  check,
  onChecked,
  speed,
  shownText,
  standalone = false,
}: CertificateProps): ReactNode {
  const { answer, failure, retry } = useReceipt(jobId);
  const [ownCheck, setOwnCheck] = useState<Check | null>(null);
  if (failure !== null) {
    return (
      <Notice failure={failure}>
        <button type="button" className="plain" onClick={retry}>
          Try again
        </button>
      </Notice>
    );
  }
  if (answer === null) return <p className="empty">Fetching the receipt…</p>;
  const known = [answer.check, check, ownCheck].reduce<Check | null>(
    (old, next) => (next ? mergeCheck(old, next) : old),
    null,
  );
  const record = (next: Check): void => {
    setOwnCheck((old) => mergeCheck(old, next));
    onChecked?.(next);
  };
  return (
    <section className="certificate" aria-label="Receipt">
      <header>
        <h4>Receipt</h4>
        {!standalone && <a href={receiptHref(jobId)}>Own page</a>}
        <a href={`/v1/receipts/${jobId}`} target="_blank" rel="noreferrer">
          JSON
        </a>
      </header>
      <Explanation envelope={answer.envelope} />
      <Particulars envelope={answer.envelope} speed={speed} />
      <Recomputation
        envelope={answer.envelope}
        check={known}
        onChecked={record}
        shownText={shownText}
      />
      <Audits audits={answer.audits ?? []} />
    </section>
  );
}

type Fetched = { readonly answer: ReceiptAnswer | null; readonly failure: Failure | null };

function useReceipt(jobId: string): Fetched & { readonly retry: () => void } {
  const [fetched, setFetched] = useState<Fetched>({ answer: null, failure: null });
  const [attempt, setAttempt] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new attempt fetches again
  useEffect(() => {
    let current = true;
    setFetched({ answer: null, failure: null });
    readReceipt(jobId).then(
      (answer) => current && setFetched({ answer, failure: null }),
      (error: unknown) => {
        const { code, message, remedy } = toAssayError(error);
        if (current) setFetched({ answer: null, failure: { code, message, remedy } });
      },
    );
    return () => {
      current = false;
    };
  }, [jobId, attempt]);
  return { ...fetched, retry: () => setAttempt((count) => count + 1) };
}

type ParticularsProps = {
  readonly envelope: EnvelopeJson;
  readonly speed: string | undefined;
};

function Particulars({ envelope, speed }: ParticularsProps): ReactNode {
  const { job, receipt } = envelope;
  const hexes = [
    ['Job', envelope.jobId],
    ['Model', job.modelId],
    ['Provider', job.provider],
    ['Requester', job.requester],
    ["Requester's signature", envelope.jobSignature],
    ["Provider's signature", envelope.receiptSignature],
    ['Commitment to the answer', receipt.outputRoot],
  ] as const;
  return (
    <dl className="particulars">
      <div>
        <dt>Price</dt>
        <dd>
          <PriceSum envelope={envelope} />
        </dd>
      </div>
      <div>
        <dt>Ended</dt>
        <dd>
          {finishWords(receipt.finish)}, {formatMoment(Number(receipt.completedAt) * 1000)}
          {speed !== undefined && `; ${speed}`}
        </dd>
      </div>
      {hexes.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>
            <HexValue value={value} label={label.toLowerCase()} />
          </dd>
        </div>
      ))}
    </dl>
  );
}
