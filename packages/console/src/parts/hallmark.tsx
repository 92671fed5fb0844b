/**
 * The row of marks struck under an answer, as an assay office strikes them into metal: who made it,
 * which model, how much, for what price; and last, only after a re-computation, the mark that says
 * identical.
 */
import type { ReactNode } from 'react';
import type { Check } from '../gateway.js';
import { CrossIcon, TickIcon } from './icons.js';
import './hallmark.css';

type MarkShape = 'shield' | 'plate' | 'oval' | 'octagon';

export type MarkProps = {
  readonly shape: MarkShape;
  /** What the mark states, for those who do not see its shape. */
  readonly label: string;
  readonly title?: string;
  readonly children: ReactNode;
};

export function Mark({ shape, label, title, children }: MarkProps): ReactNode {
  return (
    <li className="mark-cell" title={title ?? label}>
      <span className="hidden">{label}: </span>
      <span className={`mark mark-${shape}`}>{children}</span>
    </li>
  );
}

/** The two characters of an address that its maker's mark shows. */
export const makerLetters = (address: string): string => address.slice(2, 4).toUpperCase();

export type CheckMarkProps = {
  readonly check: Check | null | undefined;
  readonly checking?: boolean;
  /** Absent where a check cannot be asked for. */
  readonly onCheck?: (() => void) | undefined;
};

/** The last mark: an empty place that can be pressed, or the verdict. */
export function CheckMark({ check, checking = false, onCheck }: CheckMarkProps): ReactNode {
  if (checking) {
    return (
      <span className="mark mark-check mark-busy" role="status">
        checking
      </span>
    );
  }
  if (check?.result === 'identical') {
    return (
      <span className="mark mark-check mark-identical">
        <TickIcon /> identical
      </span>
    );
  }
  if (check?.result === 'different') {
    return (
      <span className="mark mark-check mark-different">
        <CrossIcon /> {differsAt(check.position)}
      </span>
    );
  }
  if (check?.result === 'invalid') {
    return (
      <span className="mark mark-check mark-different">
        <CrossIcon /> invalid
      </span>
    );
  }
  return onCheck === undefined ? (
    <span className="mark mark-check mark-empty">not checked</span>
  ) : (
    <button type="button" className="mark mark-check mark-empty" onClick={onCheck}>
      Check
    </button>
  );
}

/** People count tokens from one. */
export const differsAt = (position: number | undefined): string =>
  position === undefined ? 'differs' : `differs at token ${position + 1}`;
