/**
 * The touchstone strip: one bar per token, its height taken from the token's id. What was claimed
 * stands above the line, what was re-computed hangs below it, so that an identical answer is a
 * mirror image and a wrong token is not.
 */
import type { ReactNode } from 'react';
import type { Check } from '../gateway.js';
import './comparison.css';

const BAR_STEP = 5;
const HALF_HEIGHT = 28;
const BAR_MIN = 5;

export type ComparisonProps = {
  readonly tokens: readonly number[];
  readonly check: Pick<Check, 'result' | 'position'> | null | undefined;
  /** Share of the tokens re-computed so far, while a check runs. */
  readonly share?: number | undefined;
};

export function Comparison({ tokens, check, share }: ComparisonProps): ReactNode {
  const width = Math.max(tokens.length, 1) * BAR_STEP;
  const done = recomputedCount({ tokens, check, share });
  const wrongAt = check?.result === 'different' ? check.position : undefined;
  return (
    <figure className="comparison">
      <svg
        viewBox={`0 0 ${width} ${HALF_HEIGHT * 2 + 2}`}
        preserveAspectRatio="none"
        className="comparison-strip"
        style={{ maxWidth: `${width * 1.6}px` }}
        role="img"
        aria-label={describe(tokens.length, done, wrongAt)}
      >
        <path className="bars-claimed" d={bars(tokens, -1)} />
        <path className="bars-recomputed" d={bars(tokens.slice(0, done), 1)} />
        {wrongAt !== undefined && (
          <path className="bars-wrong" d={`${bar(tokens, wrongAt, -1)}${fullBar(wrongAt)}`} />
        )}
        <path className="comparison-line" d={`M0 ${HALF_HEIGHT + 1}H${width}`} />
      </svg>
      <figcaption>{caption(done, wrongAt)}</figcaption>
    </figure>
  );
}

/** Tokens that the check has reproduced; all of them only when it said identical. */
function recomputedCount({ tokens, check, share }: ComparisonProps): number {
  if (share !== undefined) return Math.floor(share * tokens.length);
  if (check?.result === 'identical') return tokens.length;
  return check?.result === 'different' ? (check.position ?? 0) : 0;
}

/**
 * Spreads neighbouring ids over the whole height (Knuth's multiplicative hash), so that bars differ
 * visibly.
 */
const barHeight = (id: number): number =>
  BAR_MIN + ((Math.imul(id + 1, 2654435761) >>> 8) % (HALF_HEIGHT - BAR_MIN));

function bar(tokens: readonly number[], index: number, direction: 1 | -1): string {
  const top = HALF_HEIGHT + 1 + direction * barHeight(tokens[index] ?? 0);
  return `M${index * BAR_STEP + BAR_STEP / 2} ${HALF_HEIGHT + 1}V${top}`;
}

const fullBar = (index: number): string =>
  `M${index * BAR_STEP + BAR_STEP / 2} ${HALF_HEIGHT + 1}v${HALF_HEIGHT}`;

const bars = (tokens: readonly number[], direction: 1 | -1): string =>
  tokens.map((_, index) => bar(tokens, index, direction)).join('');

function caption(done: number, wrongAt: number | undefined): string {
  if (wrongAt !== undefined)
    return 'Claimed above, re-computed below: the images part at the red bar.';
  if (done === 0)
    return 'One bar per token, as claimed. Below the line is room for the re-computation.';
  return 'Claimed above, re-computed below: a mirror image is an identical answer.';
}

const describe = (count: number, done: number, wrongAt: number | undefined): string =>
  wrongAt === undefined
    ? `${done} of ${count} tokens re-computed identically.`
    : `The first ${done} of ${count} tokens are identical, token ${wrongAt + 1} differs.`;
