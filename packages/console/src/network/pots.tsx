/** Money in and money out per contract, and whether the sum comes out to the last atomic unit. */
import type { ReactNode } from 'react';
import { formatPrice, parseAtomic } from '../format.js';
import type { Pot } from '../gateway.js';
import { CrossIcon, TickIcon } from '../parts/icons.js';

const FLOWS = [
  ...(['deposited', 'settled', 'refunded', 'withdrawn', 'slashed', 'charged', 'held'] as const),
];

/** Flows that are shown even at zero; the others only when money took that way. */
const ALWAYS: ReadonlySet<string> = new Set(['deposited', 'settled', 'held']);

export function Pots({ pots }: { readonly pots: readonly Pot[] }): ReactNode {
  if (pots.length === 0) return null;
  return (
    <section className="pots-part" aria-labelledby="pots-title">
      <h3 id="pots-title">Money</h3>
      <ul className="pots">
        {pots.map((pot) => (
          <li key={pot.address + pot.contract}>
            <PotView pot={pot} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function PotView({ pot }: { readonly pot: Pot }): ReactNode {
  const flows = FLOWS.filter((flow) => ALWAYS.has(flow) || parseAtomic(pot[flow] ?? '0') !== 0n);
  return (
    <>
      <p title={pot.address}>
        In the {pot.contract} contract{' '}
        <span className={pot.balanced ? 'sign-identical' : 'sign-different'}>
          {pot.balanced ? <TickIcon /> : <CrossIcon />}{' '}
          {pot.balanced ? 'balances' : 'does not balance'}
        </span>
      </p>
      <dl className="pot">
        {flows.map((flow) => (
          <div key={flow}>
            <dt>{flow}</dt>
            <dd>{formatPrice(pot[flow] ?? '0')}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
