/**
 * The last ten minutes on one line: a bar per request, as tall as its answer is long, green once
 * re-computed.
 */
import type { ReactNode } from 'react';
import { formatCounted } from '../format.js';
import type { ActivityItem } from '../gateway.js';

const SPAN_MS = 600_000;
const WIDTH = 600;
const HEIGHT = 44;
const BAR_MIN = 4;

export type TapeProps = {
  readonly items: readonly ActivityItem[];
  readonly nowMs: number;
};

export function Tape({ items, nowMs }: TapeProps): ReactNode {
  const recent = items.filter((item) => nowMs - item.createdAt < SPAN_MS);
  const longest = Math.max(1, ...recent.map((item) => item.outputCount));
  return (
    <figure className="tape">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${formatCounted(recent.length, 'request')} in the last ten minutes.`}
      >
        <path className="tape-line" d={`M0 ${HEIGHT - 0.5}H${WIDTH}`} />
        {recent.map((item) => (
          <path key={item.jobId} className={barClass(item)} d={barPath(item, nowMs, longest)} />
        ))}
      </svg>
      <figcaption>
        <span>10 minutes ago</span>
        <span>one bar per answer</span>
        <span>now</span>
      </figcaption>
    </figure>
  );
}

const barClass = (item: ActivityItem): string => `tape-bar tape-${item.check?.result ?? 'open'}`;

function barPath(item: ActivityItem, nowMs: number, longest: number): string {
  const x = WIDTH - 2 - Math.max(0, (nowMs - item.createdAt) / SPAN_MS) * (WIDTH - 4);
  const height = BAR_MIN + (item.outputCount / longest) * (HEIGHT - BAR_MIN - 4);
  return `M${x.toFixed(1)} ${HEIGHT - 1}v-${height.toFixed(1)}`;
}
