/**
 * Audits on real processes: a network in which every receipt is audited, with a verifier that computes, one that
 * invents, a provider that cheats, and one that shows no tokens. They come one after another, and their audits then run
 * side by side: waits follow the chain, not this machine's speed.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { auditFee, LOCAL_AUDIT_TERMS } from '@assay/compute';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Network,
  removeHome,
  startDishonestProvider,
  startLazyVerifier,
  startNetwork,
  temporaryHome,
  untilOnline,
} from './network.js';

/** Everything is audited; times that a machine under load can keep. */
const TERMS = { rate: 2 ** 32 - 1, commitTime: 30, revealTime: 20, disputeTime: 45 };

/** Everything up to the last question, and a whole audit with its dispute, on a machine that does other things, too. */
const TIMEOUT_MS = 280_000;

/** Two places are drawn among four seats, each among all: the honest verifier has nearly always one, the other soon. */
const HONEST_SEATS = 3;
const LAZY_SEATS = 1;

/** Prices below that of the honest provider, each lower than the one that came before. */
const CHEAT_PRICE = 10_000;
const SILENT_PRICE = 5_000;

type Report = {
  readonly verifier: string;
  readonly finding: string | null;
  readonly root: string | null;
  readonly outcome: string | null;
  readonly amount: string;
};
type Audit = {
  readonly jobId: string | null;
  readonly provider: string;
  readonly root: string | null;
  readonly reports: readonly Report[];
};
type Asked = { readonly receipt: string; readonly price: string };

type Role = { readonly address: string; readonly stop: () => Promise<void> };

let network: Network;
let honest: readonly Asked[];
let lazy: Role;
let cheat: Role;
let silent: Role;
const homes = [temporaryHome(), temporaryHome(), temporaryHome()];
const [lazyHome, cheatHome, silentHome] = homes as [string, string, string];

beforeAll(async () => {
  const args = ['--seats', String(HONEST_SEATS), '--audit-terms', JSON.stringify(TERMS)];
  network = await startNetwork({ args });
  honest = [ask(), ask()];
  await untilAudits((audits) => audits.length === honest.length);
  killVerifier();
  lazy = await startLazyVerifier({ network, home: lazyHome, seats: LAZY_SEATS });
  const hasDrawnLazy = (audits: readonly Audit[]): boolean =>
    audits.some(({ reports }) => reports.some(isOf(lazy)));
  for (let known = 3; !hasDrawnLazy(await audits()); known++) {
    ask();
    await untilAudits((found) => found.length >= known && found.every(hasStarted));
  }
  const cheap = { network, position: 0 };
  cheat = await startDishonestProvider({
    ...{ ...cheap, home: cheatHome, fault: 'flip-activation', price: CHEAT_PRICE },
  });
  await untilOnline(network, cheat.address);
  await askUntilHonest(cheat);
  silent = await startDishonestProvider({
    ...{ ...cheap, home: silentHome, fault: 'withhold', price: SILENT_PRICE },
  });
  await untilOnline(network, silent.address);
  await askUntilHonest(silent);
}, TIMEOUT_MS);

afterAll(async () => {
  for (const role of [lazy, cheat, silent, network]) await role?.stop();
  for (const home of [network?.home, ...homes]) if (home) removeHome(home);
});

function ask(): Asked {
  const asked = network.assay('ask', 'What is a receipt?', '--max-tokens', '8', '--json');
  if (asked.status !== 0) throw new Error(asked.stdout + asked.stderr);
  return JSON.parse(asked.stdout) as Asked;
}

/** Asks a provider, the cheapest now, until the honest verifier has a place in one of its audits. */
async function askUntilHonest(provider: Role): Promise<void> {
  for (let count = 1; ; count++) {
    ask();
    const found = await untilAudits((list) => {
      const own = list.filter(isOfProvider(provider));
      return own.length === count && own.every(hasStarted);
    });
    if (found.filter(isOfProvider(provider)).some(hasHonest)) return;
  }
}

/** Between commitment and reveal: the supervisor starts it again, and it has to show what it wrote down. */
function killVerifier(): void {
  const run = readFileSync(join(network.home, 'run', 'network.json'), 'utf8');
  const { pids } = JSON.parse(run) as { pids: { verifier: number } };
  process.kill(pids.verifier, 'SIGKILL');
}

async function get<T>(path: string): Promise<T> {
  // A connection of its own: commands block this process for longer than a server keeps one open.
  const answer = await fetch(`${network.url}${path}`, { headers: { connection: 'close' } });
  return (await answer.json()) as T;
}

const audits = async (): Promise<readonly Audit[]> =>
  (await get<{ audits: readonly Audit[] }>('/v1/audits')).audits;

const isOf =
  ({ address }: Role) =>
  ({ verifier }: Report): boolean =>
    verifier.toLowerCase() === address.toLowerCase();

const isOfProvider =
  ({ address }: Role) =>
  ({ provider }: Audit): boolean =>
    provider.toLowerCase() === address.toLowerCase();

/** What its provider pays for each place of an audit. */
async function feeOf({ jobId }: Audit): Promise<bigint> {
  const { envelope } = await get<{ envelope: { receipt: { price: string } } }>(
    `/v1/receipts/${jobId}`,
  );
  return auditFee(BigInt(envelope.receipt.price), LOCAL_AUDIT_TERMS);
}

const hasHonest = ({ reports }: Audit): boolean => reports.some((report) => !isOf(lazy)(report));

/** Its places are taken: who was drawn is known. */
const hasStarted = ({ reports }: Audit): boolean => reports.length === LOCAL_AUDIT_TERMS.places;

/** Who abstained has nothing to settle. */
const isSettled = (audit: Audit): boolean =>
  hasStarted(audit) &&
  audit.reports.every(({ finding, outcome }) => finding === 'abstained' || outcome !== null);

async function untilAudits(
  isReached: (audits: readonly Audit[]) => boolean,
): Promise<readonly Audit[]> {
  for (;;) {
    const found = await audits();
    if (isReached(found)) return found;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** The audit of a receipt, once every report has an outcome. */
async function settled(id: string): Promise<Audit> {
  const ofReceipt = ({ jobId }: Audit): boolean => jobId === id;
  const found = await untilAudits((list) => list.filter(ofReceipt).some(isSettled));
  return found.find(ofReceipt)!;
}

describe('audits', { timeout: TIMEOUT_MS }, () => {
  it('agree on honest receipts; a killed verifier loses nothing', async () => {
    for (const { receipt, price } of honest) {
      const audit = await settled(receipt);
      const fee = auditFee(BigInt(price), LOCAL_AUDIT_TERMS);
      for (const report of audit.reports) {
        expect(report).toMatchObject({ finding: 'right', outcome: 'paid', root: audit.root });
        expect(BigInt(report.amount)).toBe(fee);
      }
    }
  });

  it('take the bond of a verifier that invents a root', async () => {
    // Where no tokens were shown to it, it had nothing to say: it knows no gateway. Where the provider is convicted
    // nobody knows the right root, and any other one is paid.
    const isLies = (one: Audit): boolean =>
      isSettled(one) &&
      one.reports.some(isOf(lazy)) &&
      ![cheat, silent].some((provider) => isOfProvider(provider)(one));
    const found = await untilAudits((list) => list.some(isLies));
    const audit = found.find(isLies)!;
    const { reports, root } = audit;
    const invented = reports.filter(isOf(lazy));
    for (const report of invented) {
      expect(report).toMatchObject({ finding: 'right', outcome: 'forfeited' });
      expect(report.root).not.toBe(root);
    }
    // One seat has one bond, in however many places it was drawn.
    const lost = invented.reduce((sum, { amount }) => sum + BigInt(amount), 0n);
    expect(lost).toBe(LOCAL_AUDIT_TERMS.bond);
    for (const report of reports.filter((one) => !isOf(lazy)(one)))
      expect(report).toMatchObject({ finding: 'right', outcome: 'paid', root });
  });

  it('convict a provider that changed a number inside, and pay who found it', async () => {
    const isDecided = (one: Audit): boolean =>
      isOfProvider(cheat)(one) && hasHonest(one) && isSettled(one);
    const audit = (await untilAudits((list) => list.some(isDecided))).find(isDecided)!;
    expect(audit.root).not.toBeNull();
    const found = audit.reports.filter((one) => !isOf(lazy)(one));
    expect(found.length).toBeGreaterThan(0);
    for (const report of found) {
      expect(report).toMatchObject({ finding: 'right', outcome: 'paid' });
      expect(report.root).not.toBe(audit.root);
    }
    const shown = JSON.parse(network.assay('dispute', 'list', '--json').stdout) as {
      verdicts: { jobId: string; provider: string }[];
    };
    expect(shown.verdicts).toContainEqual(
      expect.objectContaining({ jobId: audit.jobId, provider: cheat.address }),
    );
  });

  it('re-compute what the provider does not show, because the gateway does', async () => {
    const ofSilent = isOfProvider(silent);
    const isDecided = (one: Audit): boolean => ofSilent(one) && hasHonest(one) && isSettled(one);
    const audit = (await untilAudits((list) => list.some(isDecided))).find(isDecided)!;
    const reports = audit.reports.filter((one) => !isOf(lazy)(one));
    expect(reports.length).toBeGreaterThan(0);
    for (const report of reports)
      expect(report).toMatchObject({ finding: 'right', outcome: 'paid', root: audit.root });
  });

  it('are paid out of stakes, to the atomic unit', async () => {
    const found = await untilAudits((list) => list.every(isSettled));
    const sum = (outcome: string): bigint =>
      found
        .flatMap(({ reports }) => reports.filter((report) => report.outcome === outcome))
        .reduce((total, { amount }) => total + BigInt(amount), 0n);
    const status = await get<{
      audits: { fees: string; lost: string };
      money: { contract: string; charged: string; balanced: boolean }[];
    }>('/v1/network');
    expect(sum('paid')).toBeGreaterThan(0n);
    expect(status.audits).toMatchObject({
      ...{ fees: String(sum('paid')), lost: String(sum('forfeited')) },
    });
    // Who found nothing is not paid, and the provider pays all the same.
    let burned = 0n;
    for (const audit of found)
      for (const { outcome } of audit.reports) {
        if (outcome === 'unpaid') burned += await feeOf(audit);
      }
    const stake = status.money.find(({ contract }) => contract === 'stake');
    expect(stake).toMatchObject({ charged: String(sum('paid') + burned), balanced: true });
  });
});
