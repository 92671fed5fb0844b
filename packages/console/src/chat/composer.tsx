/**
 * Where a question is written. Enter sends, Shift+Enter starts a line, Escape (anywhere on the
 * page) stops.
 */
import { type KeyboardEvent, type ReactNode, type RefObject, useEffect, useState } from 'react';
import { formatModel } from '../format.js';
import { ArrowIcon, StopIcon } from '../parts/icons.js';
import './composer.css';

/** Longer questions than this do not fit any model that a browser can check. */
const QUESTION_LENGTH_MAX = 20_000;

export type ComposerProps = {
  readonly models: readonly string[];
  readonly model: string;
  readonly running: boolean;
  readonly field: RefObject<HTMLTextAreaElement | null>;
  readonly onModel: (model: string) => void;
  readonly onAsk: (question: string) => void;
  readonly onStop: () => void;
};

export function Composer(props: ComposerProps): ReactNode {
  const { model, running, field, onAsk, onStop } = props;
  const [draft, setDraft] = useState('');
  const ready = draft.trim() !== '' && model !== '' && !running;
  useGrowingField(field, draft);

  const send = (): void => {
    if (!ready) return;
    onAsk(draft.trim());
    setDraft('');
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  };
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <label className="hidden" htmlFor="question">
        Your question
      </label>
      <textarea
        id="question"
        ref={field}
        rows={1}
        value={draft}
        maxLength={QUESTION_LENGTH_MAX}
        placeholder="Ask something"
        aria-describedby="composer-keys"
        onChange={(event) => setDraft(event.target.value)}
        onKeyDown={onKeyDown}
      />
      {running ? (
        <button type="button" className="composer-act" onClick={onStop}>
          <StopIcon /> Stop
        </button>
      ) : (
        <button type="submit" className="composer-act" aria-disabled={!ready}>
          <ArrowIcon /> Ask
        </button>
      )}
      <p className="composer-foot">
        <ModelChoice {...props} />
        <span id="composer-keys" className="composer-keys">
          <kbd>Enter</kbd> asks, <kbd>Shift</kbd>+<kbd>Enter</kbd> new line, <kbd>Esc</kbd> stops
        </span>
      </p>
    </form>
  );
}

function ModelChoice({ models, model, onModel }: ComposerProps): ReactNode {
  if (models.length === 0) return <span className="composer-model">No model is offered yet.</span>;
  if (models.length === 1) {
    return (
      <span className="composer-model" title={model}>
        Model <b>{formatModel(model)}</b>
      </span>
    );
  }
  return (
    <label className="composer-model">
      Model{' '}
      <select value={model} onChange={(event) => onModel(event.target.value)}>
        {models.map((id) => (
          <option key={id} value={id}>
            {formatModel(id)}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Grows the field with its text; CSS sets where that ends. */
function useGrowingField(field: RefObject<HTMLTextAreaElement | null>, draft: string): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows the draft
  useEffect(() => {
    const element = field.current;
    if (element === null) return;
    element.style.height = 'auto';
    element.style.height = `${element.scrollHeight}px`;
  }, [field, draft]);
}
