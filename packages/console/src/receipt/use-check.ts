/**
 * The two ways to check a receipt, as state that a view can show: by a verifier of the network, or
 * in this page.
 */
import { useCallback, useEffect, useRef, useState } from 'react';
import { checkHere } from '../check/local-check.js';
import type { CheckProgress, LocalVerdict } from '../check/messages.js';
import type { Failure } from '../conversation.js';
import { type Check, type EnvelopeJson, requestCheck, toAssayError } from '../gateway.js';

export type VerifierCheck = {
  readonly running: boolean;
  readonly failure: Failure | null;
  readonly start: () => void;
};

export function useVerifierCheck(jobId: string, onChecked: (check: Check) => void): VerifierCheck {
  const [running, setRunning] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const report = useRef(onChecked);
  report.current = onChecked;
  const start = useCallback((): void => {
    setRunning(true);
    setFailure(null);
    requestCheck(jobId)
      .then((check) => {
        report.current(check);
        if (check.result === 'unavailable') setFailure(NO_VERIFIER);
      })
      .catch((error: unknown) => setFailure(toFailure(error)))
      .finally(() => setRunning(false));
  }, [jobId]);
  return { running, failure, start };
}

const NO_VERIFIER: Failure = {
  code: 'verifier_unavailable',
  message: 'No verifier could take this receipt now.',
  remedy: 'Check it in this page instead, or try again later.',
};

export type LocalCheck = {
  readonly progress: readonly CheckProgress[];
  readonly running: boolean;
  readonly verdict: LocalVerdict | null;
  readonly failure: Failure | null;
  readonly start: () => void;
};

type LocalState = Omit<LocalCheck, 'start'>;

const NOT_STARTED: LocalState = { progress: [], running: false, verdict: null, failure: null };

export function useLocalCheck(
  envelope: EnvelopeJson | undefined,
  onChecked: (check: Check) => void,
): LocalCheck {
  const [state, setState] = useState(NOT_STARTED);
  const shown = useRef(true);
  useEffect(() => {
    shown.current = true;
    return () => {
      shown.current = false;
    };
  }, []);
  const update = (change: (old: LocalState) => LocalState): void => {
    if (shown.current) setState(change);
  };
  const start = (): void => {
    if (envelope === undefined) return;
    setState({ ...NOT_STARTED, running: true });
    checkHere(envelope, (progress) =>
      update((old) => ({ ...old, progress: withProgress(old.progress, progress) })),
    )
      .then((verdict) => {
        onChecked(toCheck(verdict));
        update((old) => ({ ...old, running: false, verdict }));
      })
      .catch((error: unknown) =>
        update((old) => ({ ...old, running: false, failure: toFailure(error) })),
      );
  };
  return { ...state, start };
}

/** One entry per step, the newest report of each. */
const withProgress = (
  list: readonly CheckProgress[],
  next: CheckProgress,
): readonly CheckProgress[] => [...list.filter(({ step }) => step !== next.step), next];

/** A verdict of this page in the words of the network's checks. */
const toCheck = (verdict: LocalVerdict): Check => ({
  result: verdict.result,
  seconds: verdict.seconds,
  verifier: 'this page',
  ...(verdict.reason === undefined ? {} : { reason: verdict.reason }),
  ...(verdict.position === undefined ? {} : { position: verdict.position }),
  ...(verdict.expected === undefined ? {} : { expected: verdict.expected }),
  ...(verdict.found === undefined ? {} : { found: verdict.found }),
});

function toFailure(error: unknown): Failure {
  const { code, message, remedy } = toAssayError(error);
  return { code, message, remedy };
}
