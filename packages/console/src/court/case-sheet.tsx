/**
 * One case: the layers of the model as a strip with the first wrong one lit, the number that was wrong beside the right
 * one, what was sent to the chain, and where the money went.
 */
import type { ReactNode } from 'react';
import { formatCount, formatPrice, shortenHex } from '../format.js';
import type { DisputeAnswer, Finding, Place } from '../gateway.js';
import { receiptHref } from '../route.js';
import { stateWords } from './state-words.js';

export function CaseSheet({ dispute }: { readonly dispute: DisputeAnswer }): ReactNode {
  const finding = dispute.case?.finding;
  return (
    <article className="case" aria-labelledby="case-title">
      <header>
        <h3 id="case-title">{verdictLine(dispute)}</h3>
        <p>
          Job <a href={receiptHref(dispute.jobId)}>{shortenHex(dispute.jobId, 10, 6)}</a>, provider{' '}
          <code>{shortenHex(dispute.provider)}</code>
        </p>
      </header>
      {finding?.place && <PlaceStrip place={finding.place} hasNumber={!isToken(finding)} />}
      {finding !== undefined && <Numbers finding={finding} />}
      {finding === undefined && dispute.state !== 'dismissed' && (
        <p className="case-note">{silenceLine(dispute)}</p>
      )}
      <Steps dispute={dispute} />
      {dispute.money !== null && <Money money={dispute.money} paid={dispute.state === 'paid'} />}
    </article>
  );
}

function verdictLine({ state, case: found }: DisputeAnswer): string {
  const guilty = state === 'convicted' || state === 'paid';
  if (!guilty) return stateWords(state);
  if (found?.finding === undefined) return 'Guilty: it did not answer';
  if (found.finding.place === null) return 'Guilty: the receipt contradicts its job';
  return isToken(found.finding)
    ? 'Guilty: one token was not the model’s'
    : 'Guilty: one number was wrong';
}

/** Numbers are right, and the token is not the one that they give. */
const isToken = ({ kind }: Finding): boolean => kind === 'token';

const silenceLine = ({ state }: DisputeAnswer): string =>
  state === 'convicted' || state === 'paid'
    ? 'The provider kept silent until its time was up. Silence is as good as a proof.'
    : `The court waits: ${stateWords(state)}. Whoever lets the clock run out loses.`;

/** Embedding, layers, logits: the way of a token through the model. */
function PlaceStrip({
  place,
  hasNumber,
}: {
  readonly place: Place;
  readonly hasNumber: boolean;
}): ReactNode {
  const { layer, layerCount, op, position, head, index } = place;
  const lit = layer === null ? (op === 'embed' ? 0 : layerCount + 1) : layer + 1;
  const names = ['in', ...Array.from({ length: layerCount }, (_, i) => `${i + 1}`), 'out'];
  const where =
    layer === null ? (op === 'embed' ? 'the embedding' : 'the output') : `layer ${layer + 1}`;
  return (
    <section className="case-place" aria-label="Where it was wrong">
      <ol className="layers" aria-label={`${layerCount} layers; the first wrong one is ${where}`}>
        {names.map((name, i) => (
          <li key={name} className={i < lit ? 'right' : i === lit ? 'wrong' : 'after'}>
            {name}
          </li>
        ))}
      </ol>
      <p hidden={!hasNumber}>
        Up to {where} both computed the same. There, at token {position + 1} of the sequence, in the
        operation <code>{op}</code>
        {head > 0 && `, head ${head + 1}`}, element {index}, they part.
      </p>
    </section>
  );
}

function Numbers({ finding }: { readonly finding: Finding }): ReactNode {
  const { expected, found, kind } = finding;
  if (isToken(finding))
    return (
      <p className="case-note">
        Every layer computed the right numbers, and by these numbers the model chooses another token
        than the provider sent: for one, the token with id {finding.place?.index} comes before it.
      </p>
    );
  if (expected === null || found === null || expected === found)
    return (
      <p className="case-note">
        What the provider signed contradicts itself: <code>{kind}</code>.
      </p>
    );
  return (
    <dl className="numbers">
      <div className="number-right">
        <dt>recomputed</dt>
        <dd>{formatCount(expected)}</dd>
      </div>
      <div className="number-wrong">
        <dt>signed by the provider</dt>
        <dd>{formatCount(found)}</dd>
      </div>
    </dl>
  );
}

/** What the events of the court are called. */
const STEP_WORDS: Readonly<Record<string, string>> = {
  Opened: 'Dispute opened',
  Answered: 'Provider posted its trace',
  Chosen: 'Challenger pointed at a branch',
  Revealed: 'Provider showed the branch',
  Shown: 'Provider showed the number',
  AskedAgain: 'Challenger asked for another number',
  Convicted: 'Contract recomputed it: guilty',
  Released: 'Money paid out',
  BountyClaimed: 'Bounty claimed by an earlier finder',
  BondReturned: 'Bond returned',
  Dismissed: 'Dismissed: the challenger’s time ran out',
};

function Steps({ dispute }: { readonly dispute: DisputeAnswer }): ReactNode {
  const made = dispute.case?.steps ?? [];
  const gas = new Map(made.map((step) => [step.transaction, step.gas]));
  // The court says nothing of a sealed proof, so that nobody can tell whose it is; who sealed it wrote it down.
  const sealed = made.filter(({ move }) => move === 'commit');
  return (
    <section aria-labelledby="steps-title">
      <h4 id="steps-title">What was sent to the chain</h4>
      <ol className="steps">
        {sealed.map(({ transaction, gas }) => (
          <li key={transaction}>
            <span>Proof sealed, so that nobody can copy it</span>
            <span className="step-facts">{formatCount(Number(gas))} gas</span>
          </li>
        ))}
        {dispute.steps.map(({ name, block, transaction }, i) => (
          <li key={`${transaction} ${name} ${i.toString()}`}>
            <span>{STEP_WORDS[name] ?? name}</span>
            <span className="step-facts">
              block {formatCount(block)}
              {gas.has(transaction) && `, ${formatCount(Number(gas.get(transaction)))} gas`}
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}

function Money({
  money,
  paid,
}: {
  readonly money: NonNullable<DisputeAnswer['money']>;
  readonly paid: boolean;
}): ReactNode {
  return (
    <section aria-labelledby="money-title">
      <h4 id="money-title">Where the money went</h4>
      <dl className="facts">
        <div>
          <dt>taken from the provider</dt>
          <dd>{formatPrice(money.taken)}</dd>
        </div>
        {paid ? (
          <>
            <div>
              <dt>back to the requester</dt>
              <dd>{formatPrice(money.refund)}</dd>
            </div>
            <div>
              <dt>to whoever proved it</dt>
              <dd>{formatPrice(money.bounty)}</dd>
            </div>
            <div>
              <dt>to be burned</dt>
              <dd>{formatPrice(money.kept)}</dd>
            </div>
          </>
        ) : (
          <div>
            <dt>payments</dt>
            <dd>wait for the court’s delay</dd>
          </div>
        )}
      </dl>
    </section>
  );
}
