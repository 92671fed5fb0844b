/**
 * A hash, address or signature: short on screen, whole in the title and, on secure origins, in the
 * clipboard.
 */
import { type ReactNode, useEffect, useState } from 'react';
import { shortenHex } from '../format.js';
import './hex-value.css';

/** How long the button says that it copied. */
const COPIED_MS = 1600;

export type HexValueProps = {
  readonly value: string;
  /** What it is, for the copy button's name. */
  readonly label: string;
  readonly head?: number;
  readonly tail?: number;
};

export function HexValue({ value, label, head = 10, tail = 8 }: HexValueProps): ReactNode {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), COPIED_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = (): void => {
    navigator.clipboard.writeText(value).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  };
  return (
    <span className="hex-value">
      <code title={value}>{shortenHex(value, head, tail)}</code>
      {'clipboard' in navigator && (
        <button type="button" className="quiet" onClick={copy} aria-label={`Copy ${label}`}>
          {copied ? 'Copied' : 'Copy'}
        </button>
      )}
    </span>
  );
}
