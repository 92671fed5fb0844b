/** Who serves: address, endpoint, models, stake and earnings of each provider. */
import type { ReactNode } from 'react';
import { formatCounted, formatModel, formatPrice, shortenHex } from '../format.js';
import type { NetworkProvider, ProviderModel } from '../gateway.js';
import { makerLetters } from '../parts/hallmark.js';

export function Providers({
  providers,
}: {
  readonly providers: readonly NetworkProvider[];
}): ReactNode {
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
            <Provider key={provider.address} provider={provider} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Provider({ provider }: { readonly provider: NetworkProvider }): ReactNode {
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
        <p className="provider-models" title={models.map(modelName).join(', ')}>
          {models.length === 0 ? 'no model' : models.map(modelName).join(', ')}
        </p>
        <p className="provider-endpoint">{endpoint}</p>
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
      <span className="hidden">{formatCounted(models.length, 'model')}</span>
    </li>
  );
}

const modelName = (model: ProviderModel): string =>
  formatModel(typeof model === 'string' ? model : (model.name ?? model.modelId ?? '?'));
