/**
 * One question and its answer, with the marks struck under it and the receipt that they stand for.
 */
import { memo, type ReactNode, useCallback, useState } from 'react';
import { type ConversationEvent, type Exchange, isRunning, jobOf } from '../conversation.js';
import { formatCounted, formatModel, formatPrice, formatSeconds } from '../format.js';
import type { Check } from '../gateway.js';
import { CheckMark, Mark, makerLetters } from '../parts/hallmark.js';
import { ChevronIcon } from '../parts/icons.js';
import { Notice } from '../parts/notice.js';
import { Certificate } from '../receipt/certificate.js';
import { useVerifierCheck } from '../receipt/use-check.js';
import './exchange.css';

export type ExchangeViewProps = {
  readonly exchange: Exchange;
  readonly dispatch: (event: ConversationEvent) => void;
  /** For the last question only. */
  readonly onRetry?: ((question: string) => void) | undefined;
};

/**
 * Remembered, so that a streaming answer does not draw the whole conversation again with every
 * token.
 */
export const ExchangeView = memo(function ExchangeView({
  exchange,
  dispatch,
  onRetry,
}: ExchangeViewProps): ReactNode {
  const { question, answer, state, failure } = exchange;
  return (
    <article className={`exchange exchange-${state}`} aria-busy={isRunning(exchange)}>
      <h3 className="question">
        <span className="hidden">You asked: </span>
        {question}
      </h3>
      {exchange.omitted !== undefined && (
        <p className="aside">
          {formatCounted(exchange.omitted, 'earlier exchange')} did not fit the model and stayed
          out.
        </p>
      )}
      {(answer !== '' || isRunning(exchange)) && <p className="answer">{answer}</p>}
      {state === 'stopped' && <p className="aside">You stopped here. Only what arrived is paid.</p>}
      {failure !== undefined && (
        <Notice failure={failure}>
          {onRetry !== undefined && (
            <button type="button" className="plain" onClick={() => onRetry(question)}>
              Ask again
            </button>
          )}
        </Notice>
      )}
      {exchange.receipt !== undefined && <Struck exchange={exchange} dispatch={dispatch} />}
    </article>
  );
});

type StruckProps = Omit<ExchangeViewProps, 'onRetry'>;

/** The marks of a delivered answer and, opened by hand, its certificate. */
function Struck({ exchange, dispatch }: StruckProps): ReactNode {
  const [open, setOpen] = useState(false);
  const jobId = jobOf(exchange) ?? '';
  const checkId = `receipt-${exchange.key}`;
  const record = useCallback(
    (check: Check): void => dispatch({ type: 'checked', jobId, check }),
    [dispatch, jobId],
  );
  const verifier = useVerifierCheck(jobId, record);
  return (
    <>
      <div className="struck">
        <Marks exchange={exchange} checking={verifier.running} onCheck={verifier.start} />
        <button
          type="button"
          className="quiet struck-open"
          aria-expanded={open}
          aria-controls={checkId}
          onClick={() => setOpen(!open)}
        >
          Receipt <ChevronIcon />
        </button>
      </div>
      {!open && verifier.failure !== null && <Notice failure={verifier.failure} />}
      {open && (
        <div id={checkId}>
          <Certificate
            jobId={jobId}
            check={exchange.check}
            onChecked={record}
            speed={speedOf(exchange)}
            shownText={exchange.answer}
          />
        </div>
      )}
    </>
  );
}

type MarksProps = {
  readonly exchange: Exchange;
  readonly checking: boolean;
  readonly onCheck: () => void;
};

function Marks({ exchange, checking, onCheck }: MarksProps): ReactNode {
  const { receipt, usage, check, model } = exchange;
  return (
    <ul className="hallmark" aria-label="Marks of this answer">
      {receipt !== undefined && (
        <Mark shape="shield" label="Provider" title={`Provider ${receipt.provider}`}>
          {makerLetters(receipt.provider)}
        </Mark>
      )}
      <Mark shape="plate" label="Model" title={`Model ${model}`}>
        {formatModel(model)}
      </Mark>
      {usage !== undefined && (
        <Mark shape="oval" label="Tokens" title={tokensTitle(usage)}>
          {usage.inputCount} → {usage.outputCount}
        </Mark>
      )}
      {receipt !== undefined && (
        <Mark shape="octagon" label="Price" title="Price in test dollars">
          {formatPrice(receipt.price)}
        </Mark>
      )}
      <li className="mark-cell">
        <CheckMark check={check} checking={checking} onCheck={onCheck} />
      </li>
    </ul>
  );
}

const tokensTitle = (usage: NonNullable<Exchange['usage']>): string =>
  `${formatCounted(usage.inputCount, 'token')} in, ${formatCounted(usage.outputCount, 'token')} out`;

/** How fast the answer came, in words; undefined for answers too short to say. */
function speedOf({ usage, firstTextAtMs, startedAtMs, endedAtMs }: Exchange): string | undefined {
  if (usage === undefined || firstTextAtMs === undefined || endedAtMs === undefined)
    return undefined;
  const seconds = (endedAtMs - firstTextAtMs) / 1000;
  if (seconds <= 0 || usage.outputCount < 4) return undefined;
  const first = formatSeconds((firstTextAtMs - startedAtMs) / 1000);
  return `first text after ${first}, then ${Math.round(usage.outputCount / seconds)} tokens per second`;
}
