/** The receipt in plain language: what it states, what it proves, and what it does not. */
import { FINISH, formatAmount, jobPriceUp } from '@assay/protocol';
import type { ReactNode } from 'react';
import { formatCounted, formatPrice, shortenHex } from '../format.js';
import type { EnvelopeJson } from '../gateway.js';

export function Explanation({ envelope }: { readonly envelope: EnvelopeJson }): ReactNode {
  const { job, receipt } = envelope;
  return (
    <div className="explanation">
      <p>
        Provider <code title={job.provider}>{shortenHex(job.provider)}</code> states under its
        signature that model <code title={job.modelId}>{shortenHex(job.modelId)}</code> turned{' '}
        {formatCounted(job.inputCount, 'token')} of prompt into exactly these{' '}
        {formatCounted(receipt.outputCount, 'token')}, for {formatPrice(receipt.price)} in test
        dollars.
      </p>
      <p>
        The model computes in whole numbers only, so the same prompt and the same random seed give
        the same tokens on every machine. Whoever re-computes this answer must get it again, bit for
        bit; if one token differs, this signed statement is the evidence against its signer. It does
        not say that the answer is true: it says that this model, and no other, gave it.
      </p>
    </div>
  );
}

/** The price as a sum that a reader can redo, and whether it comes out. */
export function PriceSum({ envelope }: { readonly envelope: EnvelopeJson }): ReactNode {
  const { job, receipt } = envelope;
  const terms = { inputPrice: BigInt(job.inputPrice), outputPrice: BigInt(job.outputPrice) };
  const sum = jobPriceUp(terms, job.inputCount, receipt.outputCount);
  const agrees = sum === BigInt(receipt.price);
  return (
    <>
      <b>{formatPrice(receipt.price)}</b> = ({job.inputCount} × {formatAmount(terms.inputPrice)} +{' '}
      {receipt.outputCount} × {formatAmount(terms.outputPrice)}) per million tokens, rounded up
      {agrees ? '' : `; this sum gives ${formatAmount(sum)}, so the price is wrong`}
    </>
  );
}

export function finishWords(finish: number): string {
  if (finish === FINISH.stop) return 'the model had finished';
  if (finish === FINISH.length) return 'the agreed length was reached';
  return 'stopped by the requester';
}
