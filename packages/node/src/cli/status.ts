/** `assay status`: the network as its gateway sees it. */
import { formatAmount } from '@assay/protocol';
import type { AuditSummary } from '../gateway/audit-view.js';
import type { NetworkStatus } from '../gateway/network-view.js';
import { fetchGateway } from './gateway-client.js';
import { type Output, print, table } from './output.js';
import { gatewayUrl } from './run-file.js';

export type StatusOptions = Output & { readonly home: string; readonly gateway?: string };

/** Amounts arrive as decimal text. */
type Shown = Omit<NetworkStatus, 'providers' | 'requests' | 'money' | 'audits'> & {
  readonly providers: readonly (Omit<NetworkStatus['providers'][number], 'stake' | 'earned'> & {
    readonly stake: string;
    readonly earned: string;
  })[];
  readonly requests: Omit<NetworkStatus['requests'], 'paid'> & { readonly paid: string };
  readonly audits: Omit<AuditSummary, 'fees' | 'lost'> & {
    readonly fees: string;
    readonly lost: string;
  };
  readonly money: readonly { readonly [field: string]: string | boolean }[];
};

export async function status(options: StatusOptions): Promise<void> {
  const url = gatewayUrl(options.home, options.gateway);
  const shown = (await fetchGateway({ url: `${url}/v1/network` })) as Shown;
  print(options, shown, statusText(shown));
}

const dollars = (text: unknown): string => formatAmount(BigInt(String(text)));

function statusText({ chain, gateway, providers, requests, audits, money }: Shown): string {
  const rows = providers.map(({ address, endpoint, models, stake, earned, online }) => [
    online ? 'online' : 'offline',
    address,
    endpoint ?? '—',
    `${models.length} model${models.length === 1 ? '' : 's'}`,
    `stake ${dollars(stake)}`,
    `earned ${dollars(earned)}`,
  ]);
  const pots = money.map((pot) => [
    String(pot.contract),
    `in ${dollars(pot.deposited)}`,
    `paid out ${dollars(pot.settled)}`,
    `back ${dollars(BigInt(String(pot.refunded)) + BigInt(String(pot.withdrawn)))}`,
    `held ${dollars(pot.held)}`,
    pot.balanced ? 'balanced' : 'NOT BALANCED',
  ]);
  return [
    `chain      ${chain.id} at block ${chain.block}, ${chain.rpc}`,
    `gateway    ${gateway.url}`,
    `requests   ${requests.count}, ${requests.tokens} tokens, ${dollars(requests.paid)} paid, ${requests.verified} re-computed identical${requests.different > 0 ? `, ${requests.different} DIFFERENT` : ''}`,
    `audits     ${auditWords(audits)}`,
    '',
    'providers',
    rows.length === 0 ? '  none' : indent(table(rows)),
    '',
    'money',
    pots.length === 0 ? '  none yet' : indent(table(pots)),
  ].join('\n');
}

function auditWords(audits: Shown['audits']): string {
  const { audits: count, right, wrong, abstained, absent, fees, lost, seats, verifiers } = audits;
  const found = [
    `${right} right`,
    wrong > 0 ? `${wrong} WRONG` : '',
    abstained > 0 ? `${abstained} abstained` : '',
    absent > 0 ? `${absent} absent` : '',
    `${dollars(fees)} paid`,
    BigInt(lost) > 0n ? `${dollars(lost)} of bonds lost` : '',
  ].filter(Boolean);
  const by = `${seats} seat${seats === 1 ? '' : 's'} of ${verifiers} verifier${verifiers === 1 ? '' : 's'}`;
  return `${count} by ${by}${count === 0 ? '' : `: ${found.join(', ')}`}`;
}

const indent = (text: string): string => text.replace(/^/gm, '  ');
