/** Who serves: address, endpoint, models, stake and earnings of each provider. */
import type { ReactNode } from 'react';
import { formatPrice, shortenHex } from '../format.js';
import type { NetworkProvider } from '../gateway.js';
import { makerLetters } from '../parts/hallmark.js';

export type ProvidersProps = {
  readonly providers: readonly NetworkProvider[];
  readonly nameOf: (modelId: string) => string;
};

export function Providers({ providers, nameOf }: ProvidersProps): ReactNode {
  return (
    <section aria-labelledby="providers-title">
      <h3 id="providers-title">
        Providers <span className="aside">{providers.length}</span>
      </h3>
      {providers.length === 0 ? (
        <p className="empty">
          Nobody serves a model yet. Start one with <code>assay provider --model FILE</code>.
        </p>
      ) : (
        <ul className="providers">
          {providers.map((provider) => (
            <Provider key={provider.address} provider={provider} nameOf={nameOf} />
          ))}
        </ul>
      )}
    </section>
  );
}

type ProviderProps = Omit<ProvidersProps, 'providers'> & { readonly provider: NetworkProvider };

function Provider({ provider, nameOf }: ProviderProps): ReactNode {
  const { address, endpoint, models, stake, earned, online } = provider;
  return (
    <li className="provider">
      <span className="mark mark-shield" aria-hidden="true">
        {makerLetters(address)}
      </span>
      <div className="provider-who">
        <p>
          <code title={address}>{shortenHex(address)}</code>
          <span className={online ? 'link link-live' : 'link link-offline'}>
            {online ? 'online' : 'offline'}
          </span>
        </p>
        <p className="provider-models" title={models.join(', ')}>
          {models.length === 0 ? 'no model' : models.map(nameOf).join(', ')}
        </p>
        <p className="provider-endpoint">{endpoint ?? 'no endpoint'}</p>
      </div>
      <dl className="provider-money">
        <div>
          <dt>stake</dt>
          <dd>{formatPrice(stake)}</dd>
        </div>
        <div>
          <dt>earned</dt>
          <dd>{formatPrice(earned)}</dd>
        </div>
      </dl>
    </li>
  );
}
