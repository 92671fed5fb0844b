/**
 * What a new visitor sees: what this is, three questions to begin with, and how to read the marks.
 */
import type { ReactNode } from 'react';
import { TickIcon } from '../parts/icons.js';
import './welcome.css';

const QUESTIONS = [
  'What is Assay?',
  'What is a receipt?',
  'How can an answer be checked?',
] as const;

export type WelcomeProps = {
  readonly onAsk: (question: string) => void;
  readonly disabled: boolean;
};

export function Welcome({ onAsk, disabled }: WelcomeProps): ReactNode {
  return (
    <div className="welcome">
      <h2>
        Ask a model.
        <br />
        Then test its answer like&nbsp;gold.
      </h2>
      <p>
        A provider on this network computes your answer and is paid by the token. It signs what it
        did, and anyone can re-compute it, bit for bit: a verifier, or this page.
      </p>
      <ul className="welcome-questions" aria-label="Questions to begin with">
        {QUESTIONS.map((question) => (
          <li key={question}>
            <button
              type="button"
              className="plain"
              disabled={disabled}
              onClick={() => onAsk(question)}
            >
              {question}
            </button>
          </li>
        ))}
      </ul>
      <Legend />
    </div>
  );
}

/** A specimen, so that the marks can be read before the first answer has any. */
function Legend(): ReactNode {
  return (
    <section className="legend" aria-labelledby="legend-title">
      <h3 id="legend-title">Every answer is struck with five marks</h3>
      <dl>
        <LegendMark shape="shield" sample="7A" term="Who computed it" />
        <LegendMark shape="plate" sample="model" term="Which model" />
        <LegendMark shape="oval" sample="12 → 84" term="Tokens in and out" />
        <LegendMark shape="octagon" sample="$0.000034" term="What it cost" />
        <LegendMark shape="check" sample="identical" term="Only once re-computed" />
      </dl>
    </section>
  );
}

type LegendMarkProps = {
  readonly shape: string;
  readonly sample: string;
  readonly term: string;
};

function LegendMark({ shape, sample, term }: LegendMarkProps): ReactNode {
  const kind = shape === 'check' ? 'mark-check mark-identical' : `mark-${shape}`;
  return (
    <div>
      <dt>
        <span className={`mark ${kind}`}>
          {shape === 'check' && <TickIcon />}
          {sample}
        </span>
      </dt>
      <dd>{term}</dd>
    </div>
  );
}
