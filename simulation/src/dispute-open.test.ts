/**
 * A receipt whose every token is right is brought to court by hand, on a whole network: the provider lied about one
 * number inside. What `assay dispute` and the gateway then say of the case must agree.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Network,
  removeHome,
  startDishonestProvider,
  startNetwork,
  temporaryHome,
  untilOnline,
} from './network.js';

/** A network comes up, a cheat joins it, a trace is computed twice. */
const CASE_TIMEOUT_MS = 240_000;

let network: Network;
let honest: string;
let receipt: string;
let stopCheat = async (): Promise<void> => undefined;
const cheatHome = temporaryHome();

beforeAll(async () => {
  // Without seats: the verifier here would bring what it is drawn for to court by itself, and be faster.
  network = await startNetwork({ args: ['--seats', '0'] });
  honest = (run('ask', 'Hi').document as { receipt: string }).receipt;
  const cheat = await startDishonestProvider({
    network,
    home: cheatHome,
    fault: 'flip-activation',
    position: 0,
  });
  stopCheat = cheat.stop;
  await untilOnline(network, cheat.address);
  const asked = run('ask', 'What is a receipt?', '--max-tokens', '12').document;
  expect(asked).toMatchObject({ check: { result: 'identical' } });
  receipt = (asked as { receipt: string }).receipt;
}, CASE_TIMEOUT_MS);

afterAll(async () => {
  await stopCheat();
  await network.stop();
  removeHome(network.home);
  removeHome(cheatHome);
});

function run(...args: string[]): { readonly status: number; readonly document: unknown } {
  const { status, stdout, stderr } = network.assay(...args, '--json');
  if (stdout === '') throw new Error(stderr);
  return { status, document: JSON.parse(stdout) };
}

const get = async (path: string): Promise<unknown> =>
  // A connection of its own: commands block this process for longer than a server keeps one open.
  (await fetch(`${network.url}${path}`, { headers: { connection: 'close' } })).json();

type Opened = {
  readonly verdict: { readonly taken: string; readonly refunded: string };
  readonly place: unknown;
  readonly expected: number;
  readonly found: number;
};

describe('assay dispute', () => {
  it('has nothing against an honest provider', () => {
    expect(run('dispute', 'open', honest)).toMatchObject({
      status: 0,
      document: { result: 'right', steps: [] },
    });
    expect(run('dispute', 'release', honest)).toMatchObject({
      status: 1,
      document: { error: { code: 'not_convicted' } },
    });
  });

  it('knows no receipt and no case that is not there', () => {
    const nobody = `0x${'ab'.repeat(32)}`;
    const codeOf = (...args: string[]) => {
      const { status, document } = run('dispute', ...args);
      return [status, (document as { error: { code: string } }).error.code];
    };
    expect(codeOf('show', nobody)).toEqual([1, 'dispute_unknown']);
    expect(codeOf('open', nobody)).toEqual([1, 'receipt_not_found']);
    expect(codeOf('open', '--gateway', 'http://127.0.0.1:1', honest)).toEqual([
      3,
      'peer_unreachable',
    ]);
  });

  it(
    'convicts a lie inside, and everybody tells the same of it',
    async () => {
      const { status, document } = run('dispute', 'open', receipt);
      expect({ status, document }).toMatchObject({ status: 0 });
      expect(document).toMatchObject({
        result: 'convicted',
        kind: 'swiGluElement',
        steps: [{ move: 'commit' }, { move: 'prove' }, { move: 'release' }],
        verdict: { jobId: receipt, state: 'paid' },
      });
      const { verdict, place, expected, found } = document as Opened;
      const { taken, refunded } = verdict;
      // Its stake, and of its earnings what it could not take out in time.
      expect(BigInt(taken)).toBeGreaterThanOrEqual(1_000_000n);
      expect(BigInt(refunded)).toBeGreaterThan(0n);
      expect(expected).not.toBe(found);
      expect(run('dispute', 'list').document).toEqual({ disputes: [], verdicts: [verdict] });
      expect(run('dispute', 'show', receipt).document).toMatchObject({
        verdict,
        steps: [{ step: 'Convicted' }, { step: 'Released' }],
      });
      expect(run('dispute', 'release', receipt).document).toEqual(verdict);
      expect(await get('/v1/disputes')).toMatchObject({
        disputes: [
          {
            jobId: receipt,
            state: 'paid',
            money: { taken, refund: refunded },
            case: { state: 'convicted', finding: { place, expected, found } },
          },
        ],
      });
    },
    CASE_TIMEOUT_MS,
  );

  it('convicts nobody twice for one job', () => {
    expect(run('dispute', 'open', '--force', receipt)).toMatchObject({
      status: 1,
      document: { error: { code: 'already_convicted' } },
    });
  });
});
