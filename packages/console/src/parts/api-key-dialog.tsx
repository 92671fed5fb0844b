/**
 * Asks for the key of a gateway that wants one, says when it was refused, and forgets it again. The
 * key is never shown.
 */
import { type ReactNode, type SubmitEvent, useEffect, useId, useRef, useState } from 'react';
import { parseApiKey, writeApiKey } from '../api-key.js';
import type { Failure } from '../conversation.js';
import { KeyIcon } from './icons.js';
import './api-key-dialog.css';

export type KeyButtonProps = {
  readonly apiKey: string | null;
  /** The gateway's last refusal for want of a key that it takes. */
  readonly refusal: Failure | null;
};

/** Nothing while no key is wanted; opens the dialog by itself when the gateway first refuses. */
export function KeyButton({ apiKey, refusal }: KeyButtonProps): ReactNode {
  const [open, setOpen] = useState(false);
  const wanted = refusal !== null;
  useEffect(() => setOpen(wanted), [wanted]);
  if (apiKey === null && !wanted) return null;
  return (
    <>
      <button
        type="button"
        className="quiet key-button"
        aria-label={apiKey === null ? 'Give a key for this gateway' : 'Key for this gateway'}
        title="Key for this gateway"
        onClick={() => setOpen(true)}
      >
        <KeyIcon />
      </button>
      {open && <KeyDialog {...{ apiKey, refusal }} onClose={() => setOpen(false)} />}
    </>
  );
}

type KeyDialogProps = KeyButtonProps & { readonly onClose: () => void };

function KeyDialog({ apiKey, refusal, onClose }: KeyDialogProps): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const [problem, setProblem] = useState<string | null>(null);
  /** The refusal that the last key answered; only a later one is about that key. */
  const [answered, setAnswered] = useState<Failure | null>(null);
  const id = useId();
  useEffect(() => {
    if (dialog.current?.open === false) dialog.current.showModal();
  }, []);
  const refused = apiKey !== null && refusal !== null && refusal !== answered;
  const said = problem ?? (refused ? 'The gateway does not take this key.' : null);
  const submit = (event: SubmitEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const key = parseApiKey(String(new FormData(event.currentTarget).get('key')));
    setProblem(key === undefined ? 'A key is letters, digits and signs, without spaces.' : null);
    if (key === undefined) return;
    setAnswered(refusal);
    writeApiKey(key);
    if (refusal === null) onClose();
  };
  const forget = (): void => {
    writeApiKey(null);
    onClose();
  };
  return (
    <dialog ref={dialog} className="key-dialog" aria-labelledby={`${id}-title`} onClose={onClose}>
      <form onSubmit={submit}>
        <h2 id={`${id}-title`}>This gateway wants a key</h2>
        <p>
          Who runs the gateway gives it to you. It is kept in this tab until you close it, and sent
          to this gateway only.
        </p>
        <label htmlFor={`${id}-key`}>Key</label>
        <input
          id={`${id}-key`}
          name="key"
          type="password"
          autoComplete="off"
          spellCheck={false}
          aria-invalid={said !== null}
          aria-describedby={said === null ? undefined : `${id}-said`}
        />
        {said !== null && (
          <p id={`${id}-said`} className="wrong" role="alert">
            {said}
          </p>
        )}
        <div className="key-actions">
          <button type="submit" className="plain">
            Use this key
          </button>
          {apiKey !== null && (
            <button type="button" className="quiet" onClick={forget}>
              Forget the key
            </button>
          )}
          <button type="button" className="quiet" onClick={onClose}>
            Close
          </button>
        </div>
      </form>
    </dialog>
  );
}
