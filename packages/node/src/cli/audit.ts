/** `assay audit`: what was audited and what came of it, and the seats by which a verifier is drawn. */
import { leaveSeat, readAuditTerms, readSeatCount, withdrawSeat } from '@assay/compute';
import { AssayError, formatAmount } from '@assay/protocol';
import { type ChainAccess, connectRole, resolveRpc, tokenBalance } from '../chain-access.js';
import { readHeldSeats, takeMore } from '../court/seats.js';
import type { AuditDocument, ReportDocument } from '../gateway/audit-view.js';
import { listKeys, loadKey, openHome } from '../home.js';
import { fetchGateway } from './gateway-client.js';
import { type Output, print, table } from './output.js';
import { NOBODY, openRole, type RoleOptions, readClock, whenReady } from './role-access.js';
import { gatewayUrl } from './run-file.js';

export type AuditListOptions = Output & {
  readonly home: string;
  readonly gateway?: string;
  readonly limit: number;
};

/** As JSON has it: amounts are decimal text. */
type ShownReport = Omit<ReportDocument, 'amount'> & { readonly amount: string };
export type ShownAudit = Omit<AuditDocument, 'reports'> & {
  readonly reports: readonly ShownReport[];
};

/** The newest audits of the network. */
export async function listAudits(options: AuditListOptions): Promise<void> {
  const url = gatewayUrl(options.home, options.gateway);
  const answer = (await fetchGateway({ url: `${url}/v1/audits?limit=${options.limit}` })) as {
    readonly audits: readonly ShownAudit[];
  };
  print(options, answer, auditTable(answer.audits));
}

/** One line per report. */
function auditTable(audits: readonly ShownAudit[]): string {
  if (audits.length === 0) return NO_AUDITS;
  const rows = audits.flatMap(({ jobId, provider, reports }) =>
    reports.map((report) => [
      jobId ?? '(not told yet)',
      provider,
      report.verifier,
      findingWord(report),
      outcomeWords(report),
    ]),
  );
  return table([['receipt', 'provider', 'verifier', 'found', 'outcome'], ...rows]);
}

const NO_AUDITS =
  'No audits yet. A receipt can be drawn once its provider has posted it, a few seconds after the answer.';

const findingWord = ({ finding, outcome }: ShownReport): string =>
  finding ?? (outcome === 'absent' ? 'nothing: silent' : 'sealed');

/** What came of a report, and the money that it moved. */
function outcomeWords({ outcome, amount }: ShownReport): string {
  if (outcome === null) return 'open';
  if (outcome === 'unpaid') return 'unpaid';
  const words = outcome === 'paid' ? 'paid' : `${outcome}, lost`;
  return `${words} ${formatAmount(BigInt(amount))}`;
}

/** Lines about the audits of one receipt, for `assay receipt show`. */
export const auditLines = (audits: readonly ShownAudit[]): readonly (readonly string[])[] =>
  audits.flatMap(({ reports, planted }) =>
    reports.map((report) => [
      'audited',
      `${findingWord(report)}, ${outcomeWords(report)}, by ${report.verifier}${planted ? ' (planted fault)' : ''}`,
    ]),
  );

export type AuditShowOptions = Omit<AuditListOptions, 'limit'>;

/** The audits of one receipt. */
export async function showAudit(options: AuditShowOptions, id: string): Promise<void> {
  const url = gatewayUrl(options.home, options.gateway);
  const answer = await fetchGateway({ url: `${url}/v1/receipts/${encodeURIComponent(id)}` });
  const { audits } = answer as { readonly audits: readonly ShownAudit[] };
  if (audits.length === 0) throw notAudited(id);
  print(options, { audits }, audits.map(auditText).join('\n\n'));
}

const auditText = (audit: ShownAudit): string =>
  table([
    ['receipt', audit.jobId ?? ''],
    ['provider', audit.provider],
    [
      'drawn',
      `${new Date(audit.drawnAt).toISOString()}, number ${audit.index} of epoch ${audit.epoch}`,
    ],
    ['its trace', audit.root ?? 'the provider has not said'],
    ...audit.reports.flatMap((report) => [
      ['verifier', report.verifier],
      ['  found', findingWord(report)],
      ['  trace', rootWords(report, audit)],
      ['  outcome', outcomeWords(report)],
    ]),
  ]);

function rootWords({ root }: ShownReport, audit: ShownAudit): string {
  if (root === null) return '—';
  if (audit.root === null) return root;
  return root === audit.root ? 'the same' : `another: ${root}`;
}

const notAudited = (id: string): AssayError =>
  new AssayError({
    code: 'not_audited',
    fault: 'user',
    message: 'The chain knows of no audit of this receipt, so far.',
    value: id,
    remedy:
      'See `assay audit list`. Whoever doubts a receipt needs no audit: `assay dispute open ID`.',
  });

// SEATS

/** The verifier's seats, and the terms under which they are drawn. */
export async function showSeats(options: RoleOptions): Promise<void> {
  const { home, rpc } = options;
  const isVerifier = listKeys(home).includes('verifier');
  const account = isVerifier ? loadKey(home, 'verifier').account : NOBODY;
  await printSeats(options, await connectRole(home, resolveRpc(home, rpc), account), isVerifier);
}

export type TakeOptions = RoleOptions & { readonly count: number };

/** Takes more seats with the money that the verifier's address holds. */
export async function takeSeatsCommand(options: TakeOptions): Promise<void> {
  const url = resolveRpc(options.home, options.rpc);
  const home = openHome(options.home);
  const access = await connectRole(home, url, loadKey(home, 'verifier').account);
  await takeMore(access, { count: options.count, terms: await termsOf(access) });
  await printSeats(options, access, true);
}

/** Gives up one seat, or all of them; the bonds come back after the delay. */
export async function leaveSeats(options: RoleOptions, seat?: string): Promise<void> {
  const access = await openRole(options, 'verifier');
  const { audits } = access.deployment.addresses;
  const drawn = await chosenSeats(access, seat, (held) => held.readyAt === undefined);
  for (const { seat: number } of drawn) await leaveSeat(access.write, { audits, seat: number });
  await printSeats(options, access, true, LEAVING_HINT);
}

/** Takes back the bonds of seats that were given up long enough ago. */
export async function withdrawSeats(options: RoleOptions, seat?: string): Promise<void> {
  const access = await openRole(options, 'verifier');
  const { audits } = access.deployment.addresses;
  const now = await readClock(access);
  const ready = await chosenSeats(access, seat, ({ readyAt }) => (readyAt ?? Infinity) <= now);
  for (const { seat: number } of ready) await withdrawSeat(access.write, { audits, seat: number });
  await printSeats(options, access, true);
}

const termsOf = ({ read, deployment }: ChainAccess) =>
  readAuditTerms(read, deployment.addresses.audits);

type Held = Awaited<ReturnType<typeof readHeldSeats>>[number];

/** The named seat whatever it is, or every one that fits. */
async function chosenSeats(
  access: ChainAccess,
  seat: string | undefined,
  fits: (held: Held) => boolean,
): Promise<readonly Held[]> {
  const held = await readHeldSeats(access, access.write.account.address);
  const chosen = held.filter((one) => (seat === undefined ? fits(one) : String(one.seat) === seat));
  if (chosen.length > 0) return chosen;
  throw new AssayError({
    code: 'no_such_seat',
    fault: 'user',
    message: 'This verifier holds no seat with which that can be done now.',
    value: seat ?? '',
    remedy: 'See `assay audit seats`.',
  });
}

const LEAVING_HINT =
  'A seat still answers for receipts that were posted before; keep the verifier running until its bond is ready, then ' +
  'run `assay audit withdraw`. A verifier that is started again takes its --seats again.';

async function printSeats(
  options: RoleOptions,
  access: ChainAccess,
  isVerifier: boolean,
  hint?: string,
): Promise<void> {
  const verifier = access.write.account.address;
  const { audits } = access.deployment.addresses;
  const [terms, all] = [await termsOf(access), await readSeatCount(access.read, audits)];
  const seats = isVerifier ? await readHeldSeats(access, verifier) : [];
  const holds = isVerifier ? await tokenBalance(access, verifier) : 0n;
  const now = await readClock(access);
  const document = {
    ...{ verifier: isVerifier ? verifier : null, holds, seatsDrawn: all, terms },
    seats: seats.map((one) => ({ ...one, readyAt: one.readyAt ?? null })),
  };
  const rows = seats.map(({ seat, bond, readyAt, absences }) => [
    `seat ${seat}`,
    `bond ${formatAmount(bond)}`,
    readyAt === undefined ? 'drawn' : `given up, bond ready ${whenReady(readyAt, now)}`,
    absences === 0 ? '' : `silent ${absences} times in a row`,
  ]);
  const { bond, places, rate } = terms;
  const lines = [
    `network      ${all} seats; each a bond of ${formatAmount(bond)}`,
    `audits       ${((100 * rate) / 2 ** 32).toFixed(1)} % of receipts, ${places} seats for each`,
    ...(isVerifier ? [`verifier     ${verifier}, holds ${formatAmount(holds)}`] : []),
    ...(rows.length === 0 ? ['No seats here. `assay audit take` takes one.'] : [table(rows)]),
    ...(hint === undefined ? [] : [hint]),
  ];
  print(options, document, lines.join('\n'));
}
