/**
 * The checks of one receipt: two buttons, the steps of the check in this page, the strip, and the
 * verdict in words.
 */
import type { ReactNode } from 'react';
import { CHECK_STEPS, type CheckProgress, type CheckStep } from '../check/messages.js';
import { formatSeconds, shortenHex } from '../format.js';
import type { Check, EnvelopeJson } from '../gateway.js';
import { Comparison } from '../parts/comparison.js';
import { CrossIcon, TickIcon } from '../parts/icons.js';
import { Notice } from '../parts/notice.js';
import { type LocalCheck, useLocalCheck, useVerifierCheck } from './use-check.js';

export type RecomputationProps = {
  readonly envelope: EnvelopeJson;
  readonly check: Check | null;
  readonly onChecked: (check: Check) => void;
  /** The text that a reader was shown for this answer, if any. */
  readonly shownText?: string | undefined;
};

export function Recomputation({
  envelope,
  check,
  onChecked,
  shownText,
}: RecomputationProps): ReactNode {
  const local = useLocalCheck(envelope, onChecked);
  const verifier = useVerifierCheck(envelope.jobId, onChecked);
  const share = local.running ? executionShare(local.progress) : undefined;
  return (
    <section className="recomputation" aria-label="Re-computation">
      <h4>Re-computation</h4>
      <Comparison tokens={envelope.outputTokens} check={check} share={share} />
      <div className="recomputation-buttons">
        <button
          type="button"
          className="plain"
          disabled={verifier.running}
          onClick={verifier.start}
        >
          {verifier.running ? 'The verifier is re-computing…' : 'Check with the verifier'}
        </button>
        <button type="button" className="plain" disabled={local.running} onClick={local.start}>
          {local.running ? 'This page is re-computing…' : 'Check here, in this page'}
        </button>
      </div>
      {(local.running || local.progress.length > 0) && <Steps local={local} />}
      <div aria-live="polite">
        {check !== null && <VerdictWords check={check} tokenCount={envelope.outputTokens.length} />}
      </div>
      {local.verdict !== null && <Reading text={local.verdict.text} shownText={shownText} />}
      {verifier.failure !== null && <Notice failure={verifier.failure} />}
      {local.failure !== null && <Notice failure={local.failure} />}
    </section>
  );
}

const executionShare = (progress: readonly CheckProgress[]): number =>
  progress.find(({ step }) => step === 'execution')?.share ?? 0;

const STEP_WORDS: Readonly<Record<CheckStep, string>> = {
  file: 'Fetch the model file',
  identity: 'Re-compute the model id from the file',
  evidence: 'Check both signatures, the commitments and the price',
  execution: 'Run the model over prompt and answer, and compare every token',
};

function Steps({ local }: { readonly local: LocalCheck }): ReactNode {
  return (
    <ol className="steps">
      {CHECK_STEPS.map((step) => (
        <StepRow
          key={step}
          step={step}
          progress={local.progress.find((entry) => entry.step === step)}
          failed={local.failure !== null}
        />
      ))}
    </ol>
  );
}

type StepRowProps = {
  readonly step: CheckStep;
  readonly progress: CheckProgress | undefined;
  readonly failed: boolean;
};

function StepRow({ step, progress, failed }: StepRowProps): ReactNode {
  const state = stepState(progress, failed);
  return (
    <li className={`step step-${state}`}>
      <span className="step-sign" aria-hidden="true">
        {state === 'done' && <TickIcon />}
        {state === 'failed' && <CrossIcon />}
      </span>
      <span>
        {STEP_WORDS[step]}
        {progress?.note !== undefined && <span className="aside"> {progress.note}</span>}
      </span>
      {state === 'running' && (
        <progress max={1} value={progress?.share} aria-label={STEP_WORDS[step]} />
      )}
    </li>
  );
}

function stepState(
  progress: CheckProgress | undefined,
  failed: boolean,
): 'open' | 'running' | 'done' | 'failed' {
  if (progress === undefined) return 'open';
  if (progress.share >= 1) return 'done';
  return failed ? 'failed' : 'running';
}

type VerdictWordsProps = { readonly check: Check; readonly tokenCount: number };

function VerdictWords({ check, tokenCount }: VerdictWordsProps): ReactNode {
  const who = by(check.verifier);
  const time = check.seconds === undefined ? '' : ` in ${formatSeconds(check.seconds)}`;
  if (check.result === 'identical') {
    return (
      <p className="verdict verdict-identical">
        <TickIcon /> <b>Identical.</b> {who} re-computed all {tokenCount} tokens{time}, and each is
        the one that was claimed.
      </p>
    );
  }
  if (check.result === 'invalid') {
    return (
      <p className="verdict verdict-different">
        <CrossIcon /> <b>Invalid.</b> {check.reason ?? 'The receipt contradicts itself.'}
      </p>
    );
  }
  if (check.result === 'different') return <Difference check={check} who={who} />;
  return null;
}

function Difference({ check, who }: { readonly check: Check; readonly who: string }): ReactNode {
  return (
    <div className="verdict verdict-different">
      <p>
        <CrossIcon /> <b>Different.</b> {who} found the first difference {placeOf(check)}.
      </p>
      <dl>
        <div>
          <dt>Claimed</dt>
          <dd>{check.part === undefined ? tokenText(check.found) : check.found}</dd>
        </div>
        <div>
          <dt>Re-computed</dt>
          <dd>{check.part === undefined ? tokenText(check.expected) : check.expected}</dd>
        </div>
      </dl>
    </div>
  );
}

/** Where a receipt differs first, counted from 1. */
function placeOf({ part, position = 0 }: Check): string {
  if (part === 'embedding') return `at element ${position + 1} of the embedding`;
  const token = `at token ${position + 1}`;
  return part === 'logprobs' ? `in a probability ${token}` : token;
}

/** Blanks and line ends made visible; a bare id is called one. */
function tokenText(token: number | string | undefined): ReactNode {
  if (token === undefined) return 'unknown';
  if (typeof token === 'number') return `token id ${token}`;
  return <code>{token.replaceAll(' ', '␣').replaceAll('\n', '↵') || '(empty)'}</code>;
}

type ReadingProps = { readonly text: string; readonly shownText: string | undefined };

/**
 * Token ids bind, text does not: so the page reads the ids itself and compares with what was shown.
 */
function Reading({ text, shownText }: ReadingProps): ReactNode {
  if (shownText === undefined) {
    return (
      <figure className="reading">
        <figcaption>These tokens read</figcaption>
        <blockquote>{text}</blockquote>
      </figure>
    );
  }
  if (text.startsWith(shownText)) {
    return <p className="aside">The text that you were shown is the text of these tokens.</p>;
  }
  return (
    <div className="verdict verdict-different">
      <p>
        <CrossIcon /> <b>Another text.</b> The gateway showed you something else than these tokens,
        which read:
      </p>
      <blockquote>{text}</blockquote>
    </div>
  );
}

function by(verifier: string | undefined): string {
  if (verifier === undefined) return 'A verifier';
  if (verifier === 'this page') return 'This page';
  return `Verifier ${shortenHex(verifier)}`;
}
