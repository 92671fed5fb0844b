/**
 * Audits on real processes: a network in which every receipt is audited, with a verifier that computes, one that
 * invents, a provider that cheats, and one that shows no tokens. Waits follow the chain, not this machine's speed.
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

/** A whole audit with its dispute, on a machine that does other things, too. */
const AUDIT_TIMEOUT_MS = 280_000;

/** Seats of the honest verifier, and of the one that invents: both are drawn soon. */
const SEATS = 3;

type Report = {
  readonly verifier: string;
  readonly finding: string | null;
  readonly root: string | null;
  readonly outcome: string | null;
  readonly amount: string;
};
type Audit = {
  readonly jobId: string | null;
  readonly root: string | null;
  readonly reports: readonly Report[];
};
type Asked = { readonly receipt: string; readonly price: string };

let network: Network;
const homes = [temporaryHome(), temporaryHome(), temporaryHome()];
const [lazyHome, cheatHome, silentHome] = homes as [string, string, string];

beforeAll(async () => {
  network = await startNetwork({
    args: ['--seats', String(SEATS), '--audit-terms', JSON.stringify(TERMS)],
  });
}, AUDIT_TIMEOUT_MS);

afterAll(async () => {
  await network?.stop();
  for (const home of [network?.home, ...homes]) if (home) removeHome(home);
});

function ask(): Asked {
  const asked = network.assay('ask', 'What is a receipt?', '--max-tokens', '8', '--json');
  if (asked.status !== 0) throw new Error(asked.stdout + asked.stderr);
  return JSON.parse(asked.stdout) as Asked;
}

async function get<T>(path: string): Promise<T> {
  // A connection of its own: commands block this process for longer than a server keeps one open.
  const answer = await fetch(`${network.url}${path}`, { headers: { connection: 'close' } });
  return (await answer.json()) as T;
}

const auditsOf = async (id: string): Promise<readonly Audit[]> =>
  (await get<{ audits: readonly Audit[] }>(`/v1/receipts/${id}`)).audits;

/** The audit of a receipt, once every report has an outcome. */
async function settled(id: string): Promise<Audit> {
  for (;;) {
    const [audit] = await auditsOf(id);
    const reports = audit?.reports ?? [];
    if (audit && reports.length > 0 && reports.every(({ outcome }) => outcome !== null))
      return audit;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

describe('audits', () => {
  it(
    'agree on honest receipts, and are paid out of the stake to the atomic unit; a killed verifier loses nothing',
    async () => {
      const asked = [ask(), ask()];
      // Between commitment and reveal: the supervisor starts it again, and it has to show what it wrote down.
      await expect
        .poll(async () => (await get<{ audits: Audit[] }>('/v1/audits')).audits.length, {
          timeout: AUDIT_TIMEOUT_MS,
        })
        .toBeGreaterThan(0);
      const run = readFileSync(join(network.home, 'run', 'network.json'), 'utf8');
      const { pids } = JSON.parse(run) as { pids: { verifier: number } };
      process.kill(pids.verifier, 'SIGKILL');
      let fees = 0n;
      for (const { receipt, price } of asked) {
        const audit = await settled(receipt);
        const fee = auditFee(BigInt(price), LOCAL_AUDIT_TERMS);
        expect(audit.reports).toHaveLength(LOCAL_AUDIT_TERMS.places);
        for (const report of audit.reports) {
          expect(report).toMatchObject({ finding: 'right', outcome: 'paid', root: audit.root });
          expect(BigInt(report.amount)).toBe(fee);
          fees += fee;
        }
      }
      const status = await get<{
        audits: { fees: string; lost: string };
        money: { contract: string; charged: string; balanced: boolean }[];
      }>('/v1/network');
      expect(status.audits).toMatchObject({ fees: String(fees), lost: '0' });
      const stake = status.money.find(({ contract }) => contract === 'stake');
      expect(stake).toMatchObject({ charged: String(fees), balanced: true });
    },
    AUDIT_TIMEOUT_MS,
  );

  it(
    'take the bond of a verifier that invents a root',
    async () => {
      const lazy = await startLazyVerifier({ network, home: lazyHome, seats: SEATS });
      try {
        const address = lazy.address.toLowerCase();
        for (;;) {
          const { reports, root } = await settled(ask().receipt);
          const mine = reports.filter(({ verifier }) => verifier.toLowerCase() === address);
          for (const report of mine) {
            expect(report).toMatchObject({ finding: 'right', outcome: 'forfeited' });
            expect(report.root).not.toBe(root);
            expect(BigInt(report.amount)).toBe(LOCAL_AUDIT_TERMS.bond);
          }
          for (const report of reports.filter((one) => !mine.includes(one)))
            expect(report).toMatchObject({ finding: 'right', outcome: 'paid', root });
          if (mine.length > 0) break;
        }
      } finally {
        await lazy.stop();
      }
    },
    AUDIT_TIMEOUT_MS,
  );

  it(
    'convict a provider that changed a number inside, and pay who found it',
    async () => {
      const cheat = await startDishonestProvider({
        ...{ network, home: cheatHome, fault: 'flip-activation', position: 0 },
      });
      try {
        await untilOnline(network, cheat.address);
        const { receipt } = ask();
        const audit = await settled(receipt);
        const found = audit.reports.filter(({ finding }) => finding === 'right');
        expect(found.length).toBeGreaterThan(0);
        for (const report of found) {
          expect(report.outcome).toBe('paid');
          expect(report.root).not.toBe(audit.root);
        }
        const shown = JSON.parse(network.assay('dispute', 'list', '--json').stdout) as {
          verdicts: { jobId: string; provider: string }[];
        };
        expect(shown.verdicts).toContainEqual(
          expect.objectContaining({ jobId: receipt, provider: cheat.address }),
        );
      } finally {
        await cheat.stop();
      }
    },
    AUDIT_TIMEOUT_MS,
  );

  it(
    'say nothing where the provider shows no tokens, and nobody loses a bond',
    async () => {
      const silent = await startDishonestProvider({
        ...{ network, home: silentHome, fault: 'withhold', position: 0 },
      });
      try {
        await untilOnline(network, silent.address);
        ask();
        const own = async (): Promise<readonly Report[]> => {
          const { audits } = await get<{ audits: (Audit & { provider: string })[] }>('/v1/audits');
          return audits
            .filter(({ provider }) => provider.toLowerCase() === silent.address.toLowerCase())
            .flatMap(({ reports }) => reports);
        };
        await expect
          .poll(async () => (await own()).some(({ finding }) => finding === 'abstained'), {
            timeout: AUDIT_TIMEOUT_MS,
          })
          .toBe(true);
        expect((await own()).filter(({ outcome }) => outcome === 'forfeited')).toEqual([]);
      } finally {
        await silent.stop();
      }
    },
    AUDIT_TIMEOUT_MS,
  );
});
