/**
 * The network as it is now: what moved, who serves, what was asked last. Fits a side column and a
 * whole page.
 */
import { memo, type ReactNode } from 'react';
import { formatAge, formatCount, formatPrice } from '../format.js';
import type { NetworkAnswer } from '../gateway.js';
import { Notice } from '../parts/notice.js';
import { useNow } from '../use-now.js';
import { AuditList } from './audit-list.js';
import { Ledger } from './ledger.js';
import { type NetworkState, totalEarned } from './network-state.js';
import { Pots } from './pots.js';
import { Providers } from './providers.js';
import { Tape } from './tape.js';
import './network.css';

export type NetworkViewProps = {
  readonly state: NetworkState;
  /** Rows of recent requests; the whole page shows all that are kept. */
  readonly rowsMax: number;
  readonly whole?: boolean;
  /** A model's name, or its shortened id while none is known. */
  readonly nameOf: (modelId: string) => string;
};

/** Remembered, so that a streaming answer beside it does not draw it again. */
export const NetworkView = memo(function NetworkView({
  state,
  rowsMax,
  nameOf,
  whole = false,
}: NetworkViewProps): ReactNode {
  const { network, items } = state;
  const nowMs = useNow(1000);
  return (
    <section className="network" aria-labelledby="network-title">
      <header className="network-head">
        <h2 id="network-title">The network</h2>
        <LinkState state={state} nowMs={nowMs} />
      </header>
      {state.failure !== null && <Notice failure={state.failure} />}
      {network === null ? (
        state.failure === null && <p className="empty">Asking the gateway…</p>
      ) : (
        <div className="network-parts">
          <Figures network={network} />
          <Tape items={items} nowMs={nowMs} />
          <div className="network-column">
            <Providers providers={network.providers} nameOf={nameOf} />
            {whole && <AuditList audits={state.audits} summary={network.audits} />}
            {whole && <Pots pots={network.money ?? []} />}
            {whole && <Chain network={network} />}
          </div>
          <Ledger items={items.slice(0, rowsMax)} nowMs={nowMs} nameOf={nameOf} />
        </div>
      )}
    </section>
  );
});

const LINK_WORDS = {
  connecting: 'connecting',
  live: 'live',
  polling: 'asking every few seconds',
  offline: 'offline',
} as const;

function LinkState({ state, nowMs }: { state: NetworkState; nowMs: number }): ReactNode {
  const since =
    state.link === 'offline' && state.freshAtMs !== null
      ? `, last seen ${formatAge(state.freshAtMs, nowMs)} ago`
      : '';
  return (
    <p className={`link link-${state.link}`} role="status">
      {LINK_WORDS[state.link]}
      {since}
    </p>
  );
}

function Figures({ network }: { readonly network: NetworkAnswer }): ReactNode {
  const { requests } = network;
  const figures = [
    ['Answers', formatCount(requests.count), 'answers that were paid for'],
    ['Tokens', formatCount(requests.tokens), 'tokens in and out'],
    ['Paid', formatPrice(requests.paid), 'promised in vouchers, in test dollars'],
    [
      'Earned',
      formatPrice(totalEarned(network).toString()),
      'claimed on chain by providers so far',
    ],
    ['Re-computed', recomputed(requests), 'answers that a verifier re-computed'],
    ['Block', formatCount(network.chain.block), 'height of the chain'],
  ] as const;
  return (
    <dl className="figures">
      {figures.map(([label, value, title]) => (
        <div key={label} title={title}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** How many answers were re-computed, and how many of those were not identical. */
const recomputed = ({ verified, different = 0 }: NetworkAnswer['requests']): string =>
  different === 0
    ? formatCount(verified)
    : `${formatCount(verified)}, ${formatCount(different)} differed`;

function Chain({ network }: { readonly network: NetworkAnswer }): ReactNode {
  const contracts = Object.entries(network.contracts);
  return (
    <section className="chain-part" aria-labelledby="chain-title">
      <h3 id="chain-title">Chain and contracts</h3>
      <dl className="facts">
        <Fact label="Chain" value={String(network.chain.id)} />
        <Fact label="RPC" value={network.chain.rpc} />
        <Fact label="Gateway" value={network.gateway.url} />
        {contracts.map(([name, address]) => (
          <Fact key={name} label={name} value={address} />
        ))}
      </dl>
    </section>
  );
}

function Fact({ label, value }: { readonly label: string; readonly value: string }): ReactNode {
  return (
    <div>
      <dt>{label}</dt>
      <dd>
        <code>{value}</code>
      </dd>
    </div>
  );
}
