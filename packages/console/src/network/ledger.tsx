/** Recent requests, newest first, as they happen; each row leads to its receipt. */
import type { ReactNode } from 'react';
import { formatAge, formatCount, formatPrice } from '../format.js';
import type { ActivityItem, Check } from '../gateway.js';
import { differsAt, makerLetters } from '../parts/hallmark.js';
import { CrossIcon, TickIcon } from '../parts/icons.js';
import { receiptHref } from '../route.js';

export type LedgerProps = {
  readonly items: readonly ActivityItem[];
  readonly nowMs: number;
  readonly nameOf: (modelId: string) => string;
};

export function Ledger({ items, nowMs, nameOf }: LedgerProps): ReactNode {
  return (
    <section className="ledger-part" aria-labelledby="ledger-title">
      <h3 id="ledger-title">Recent requests</h3>
      {items.length === 0 ? (
        <p className="empty">No request yet. Ask something, and it appears here.</p>
      ) : (
        <ol className="ledger">
          {items.map((item) => (
            <Row key={item.jobId} item={item} nowMs={nowMs} nameOf={nameOf} />
          ))}
        </ol>
      )}
    </section>
  );
}

type RowProps = Omit<LedgerProps, 'items'> & { readonly item: ActivityItem };

function Row({ item, nowMs, nameOf }: RowProps): ReactNode {
  return (
    <li>
      <a className="ledger-row" href={receiptHref(item.jobId)}>
        <span className="mark mark-shield" title={item.provider}>
          <span className="hidden">Provider </span>
          {makerLetters(item.provider)}
        </span>
        <span className="ledger-model">{nameOf(item.model)}</span>
        <span className="ledger-tokens">
          {formatCount(item.inputCount)}
          <span className="hidden"> tokens in, </span>
          <span aria-hidden="true"> → </span>
          {formatCount(item.outputCount)}
          <span className="hidden"> tokens out</span>
        </span>
        <span className="ledger-price">{formatPrice(item.price)}</span>
        <span className="ledger-check">{checkSign(item.check)}</span>
        <time className="ledger-age" dateTime={new Date(item.createdAt).toISOString()}>
          {formatAge(item.createdAt, nowMs)}
        </time>
      </a>
    </li>
  );
}

function checkSign(check: Check | null): ReactNode {
  if (check?.result === 'identical') {
    return (
      <span className="sign-identical">
        <TickIcon />
        <span className="hidden">identical</span>
      </span>
    );
  }
  if (check?.result === 'different' || check?.result === 'invalid') {
    const words = check.result === 'invalid' ? 'invalid' : differsAt(check.position);
    return (
      <span className="sign-different" title={words}>
        <CrossIcon />
        <span className="hidden">{words}</span>
      </span>
    );
  }
  return (
    <>
      <span aria-hidden="true">·</span>
      <span className="hidden">not checked</span>
    </>
  );
}
