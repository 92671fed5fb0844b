/**
 * `node tools/dist/play-disputes.js [FAULT..]`: plays `assay demo dispute` for every way of cheating that the tests of
 * `simulation` do not play, one after another, and prints what each took. Fails if a command exits otherwise than with
 * 0, or if its verdict is not the right one: whoever cheats is convicted and loses money, whoever is honest does not.
 */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { DEMO_FAULTS } from '@assay/node';

/** Played by `simulation/src/dispute.test.ts`. */
const PLAYED_BY_TESTS = new Set(['none', 'flip-activation', 'silent']);

/** One play: 15 seconds on two idle cores, and room for a machine that does something else, too. */
const PLAY_TIMEOUT_MS = 180_000;

const CLI = createRequire(import.meta.url)
  .resolve('@assay/node/package.json')
  .replace(/package\.json$/, 'bin/assay.mjs');

type Played = {
  readonly fault: string;
  readonly convicted: boolean;
  readonly transactions: number;
  readonly gas: { readonly total: number };
  readonly slashed: string;
  readonly seconds: number;
};

type Play = { readonly fault: string; readonly played?: Played; readonly wrong?: string };

function play(fault: string): Play {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [CLI, 'demo', 'dispute', '--fault', fault, '--json'],
    {
      encoding: 'utf8',
      env: { ...process.env, ASSAY_LOG: 'error' },
      timeout: PLAY_TIMEOUT_MS,
      // A private network must not outlive the play: its processes end when their parent does.
      killSignal: 'SIGKILL',
    },
  );
  if (stdout === '') return { fault, wrong: `no document, exit code ${status}: ${stderr.trim()}` };
  const played = JSON.parse(stdout) as Played & { readonly error?: { readonly code: string } };
  if (played.error !== undefined) return { fault, wrong: played.error.code };
  const wrong = faultOf(fault, played) ?? (status === 0 ? undefined : `exit code ${status}`);
  return { fault, played, ...(wrong === undefined ? {} : { wrong }) };
}

/** What is wrong with a verdict. */
function faultOf(fault: string, { fault: named, convicted, slashed }: Played): string | undefined {
  const cheats = fault !== 'none';
  if (named !== fault) return `played ${named} instead`;
  if (convicted !== cheats) return cheats ? 'not convicted' : 'convicted though honest';
  return BigInt(slashed) > 0n === cheats ? undefined : `took ${slashed}`;
}

function lineOf({ fault, played, wrong }: Play): string {
  const cells =
    played === undefined
      ? ['', '', '', '']
      : [
          played.convicted ? 'yes' : 'no',
          String(played.transactions),
          String(played.gas.total),
          played.seconds.toFixed(1),
        ];
  return [...row([fault, ...cells]), wrong === undefined ? '' : `  WRONG: ${wrong}`].join('');
}

const WIDTHS = [16, 10, 13, 9, 8] as const;

const row = (cells: readonly string[]): string[] =>
  cells.map((cell, column) =>
    column === 0 ? cell.padEnd(WIDTHS[0]) : cell.padStart(WIDTHS[column] ?? 0),
  );

const asked = process.argv.slice(2);
const faults =
  asked.length > 0
    ? asked
    : Object.keys(DEMO_FAULTS).filter((fault) => !PLAYED_BY_TESTS.has(fault));
process.stdout.write(`${row(['fault', 'convicted', 'transactions', 'gas', 'seconds']).join('')}\n`);
let wrongCount = 0;
for (const fault of faults) {
  const one = play(fault);
  if (one.wrong !== undefined) wrongCount++;
  process.stdout.write(`${lineOf(one)}\n`);
}
process.stdout.write(`${faults.length - wrongCount} of ${faults.length} verdicts are right\n`);
process.exitCode = wrongCount === 0 ? 0 : 1;
