/**
 * The conversation: its exchanges, the field for the next question, and a quiet voice for screen
 * readers.
 */
import { type ReactNode, type RefObject, useEffect, useRef } from 'react';
import type { Failure } from '../conversation.js';
import { type Exchange, isRunning, spentSoFar } from '../conversation.js';
import { formatPrice, wholeSentences } from '../format.js';
import { Notice } from '../parts/notice.js';
import { Composer } from './composer.js';
import { ExchangeView } from './exchange-view.js';
import type { ConversationActions } from './use-conversation.js';
import { Welcome } from './welcome.js';
import './chat.css';

/** The page follows the stream while its end is this near to the window's. */
const FOLLOW_PX = 160;

export type ChatProps = {
  readonly actions: ConversationActions;
  readonly models: readonly string[];
  readonly model: string;
  readonly onModel: (model: string) => void;
  readonly failure: Failure | null;
};

export function Chat({ actions, models, model, onModel, failure }: ChatProps): ReactNode {
  const { conversation, running, ask, stop, clear, dispatch } = actions;
  const field = useRef<HTMLTextAreaElement>(null);
  const last = conversation.at(-1);
  useFollowing(last);
  useStopKey(running, stop, field);
  const askHere = (question: string): void => {
    ask(question, model);
    field.current?.focus();
  };
  return (
    <section className="chat" aria-label="Conversation">
      <div className="thread">
        {conversation.length === 0 ? (
          <Welcome onAsk={askHere} disabled={model === ''} />
        ) : (
          <Spent conversation={conversation} onClear={clear} />
        )}
        {conversation.map((exchange, index) => (
          <ExchangeView
            key={exchange.key}
            exchange={exchange}
            dispatch={dispatch}
            onRetry={index === conversation.length - 1 ? askHere : undefined}
          />
        ))}
      </div>
      <Voice exchange={last} />
      <div className="chat-foot">
        {failure !== null && <Notice failure={failure} />}
        <Composer
          {...{ models, model, running, field, onModel }}
          onAsk={askHere}
          onStop={() => {
            stop();
            field.current?.focus();
          }}
        />
      </div>
    </section>
  );
}

type SpentProps = {
  readonly conversation: readonly Exchange[];
  readonly onClear: () => void;
};

function Spent({ conversation, onClear }: SpentProps): ReactNode {
  return (
    <header className="spent">
      <p>
        This conversation has cost <b>{formatPrice(spentSoFar(conversation).toString())}</b> in test
        dollars.
      </p>
      <button type="button" className="quiet" onClick={onClear}>
        New conversation
      </button>
    </header>
  );
}

/** Says the answer sentence by sentence as it arrives, then its end; never word by word. */
function Voice({ exchange }: { readonly exchange: Exchange | undefined }): ReactNode {
  const sentences = exchange === undefined ? [] : wholeSentences(`${exchange.answer} `);
  const ended = exchange !== undefined && !isRunning(exchange);
  const spoken = ended ? sentences : sentences.slice(0, -1);
  return (
    <div className="hidden" aria-live="polite" aria-relevant="additions">
      {spoken.map((sentence, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: sentences are only ever appended
        <p key={`${exchange?.key}-${index}`}>{sentence}</p>
      ))}
      {ended && <p key={`${exchange.key}-end`}>{END_WORDS[exchange.state]}</p>}
    </div>
  );
}

const END_WORDS: Readonly<Record<Exchange['state'], string>> = {
  waiting: '',
  streaming: '',
  done: 'End of the answer.',
  stopped: 'Stopped.',
  failed: 'The answer failed.',
};

/** Keeps the end of a growing answer in sight, unless the reader has scrolled away from it. */
function useFollowing(last: Exchange | undefined): void {
  const near = useRef(true);
  useEffect(() => {
    const note = (): void => {
      const { scrollHeight } = document.documentElement;
      near.current = scrollHeight - window.innerHeight - window.scrollY < FOLLOW_PX;
    };
    window.addEventListener('scroll', note, { passive: true });
    return () => window.removeEventListener('scroll', note);
  }, []);
  const key = last?.key;
  useEffect(() => {
    if (key !== undefined) near.current = true;
  }, [key]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: runs whenever the answer grows or ends
  useEffect(() => {
    if (near.current && last !== undefined) {
      window.scrollTo({ top: document.documentElement.scrollHeight, behavior: 'instant' });
    }
  }, [last?.answer, last?.state, last?.receipt]);
}

function useStopKey(
  running: boolean,
  stop: () => void,
  field: RefObject<HTMLTextAreaElement | null>,
): void {
  useEffect(() => {
    if (!running) return;
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== 'Escape') return;
      stop();
      field.current?.focus();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [running, stop, field]);
}
