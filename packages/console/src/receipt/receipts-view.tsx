/** A receipt on its own page, or the place where an id can be looked up. */
import { type ReactNode, useState } from 'react';
import type { ActivityItem } from '../gateway.js';
import '../network/network.css';
import { Ledger } from '../network/ledger.js';
import { isJobId, receiptHref } from '../route.js';
import { useNow } from '../use-now.js';
import { Certificate } from './certificate.js';

export type ReceiptsViewProps = {
  readonly jobId: string | undefined;
  readonly items: readonly ActivityItem[];
  readonly nameOf: (modelId: string) => string;
};

export function ReceiptsView({ jobId, items, nameOf }: ReceiptsViewProps): ReactNode {
  const nowMs = useNow(1000);
  return (
    <section className="receipts" aria-labelledby="receipts-title">
      <h2 id="receipts-title">Receipts</h2>
      <LookUp key={`look-up ${jobId}`} jobId={jobId} />
      {jobId === undefined ? (
        <div className="network">
          <Ledger items={items} nowMs={nowMs} nameOf={nameOf} />
        </div>
      ) : (
        <Certificate key={`receipt ${jobId}`} jobId={jobId} standalone />
      )}
    </section>
  );
}

function LookUp({ jobId }: { readonly jobId: string | undefined }): ReactNode {
  const [text, setText] = useState(jobId ?? '');
  const [wrong, setWrong] = useState(false);
  return (
    <form
      className="look-up"
      onSubmit={(event) => {
        event.preventDefault();
        const id = text.trim();
        setWrong(!isJobId(id));
        if (isJobId(id)) location.hash = receiptHref(id);
      }}
    >
      <label htmlFor="receipt-id">Receipt id</label>
      <input
        id="receipt-id"
        value={text}
        spellCheck={false}
        autoComplete="off"
        placeholder="0x…"
        aria-invalid={wrong}
        aria-describedby="receipt-id-help"
        onChange={(event) => setText(event.target.value)}
      />
      <button type="submit" className="plain">
        Show
      </button>
      <p
        id="receipt-id-help"
        className={wrong ? 'wrong' : 'aside'}
        role={wrong ? 'alert' : undefined}
      >
        An id is <code>0x</code> and 64 hexadecimal digits; it comes with every answer.
      </p>
    </form>
  );
}
