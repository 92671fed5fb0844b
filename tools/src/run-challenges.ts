/**
 * The long lane of the judges: 10,000 random challenges against honest providers convict nobody, and every trace with
 * one bit changed is convicted (`drawChallenge` in packages/compute says what is drawn). Jobs are of all families, with
 * cuts and without, shorter and longer than a block of positions. Both judges rule: those in TypeScript, and the
 * contracts through `contracts/test/dispute/JudgeChallenges.t.sol`. Nothing of it is committed.
 *
 *     npm run challenges -- [--challenges 10000] [--seed 0]
 */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  type Challenge,
  type ChallengedCase,
  challengedCase,
  drawChallenge,
  type HonestCaseOptions,
  honestCase,
  judgeChallenge,
} from '@assay/compute';
import { runForge } from './forge.js';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
/** Relative to `contracts`, where tests may read (foundry.toml). */
const FOLDER = 'cache/challenges';

/** Challenges that one file holds: some megabytes. */
const PER_RUN = 500;
const LIMITS = { FOUNDRY_GAS_LIMIT: '18446744073709551615', FOUNDRY_MEMORY_LIMIT: '4294967296' };

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

const JOBS: readonly Omit<HonestCaseOptions, 'hash'>[] = [
  { seed: 3, inputCount: 62, outputCount: 9 },
  { seed: 5, inputCount: 2, outputCount: 8, sampler: { tau: 0 } },
  { seed: 6, inputCount: 20, outputCount: 12, sampler: { topK: 0, topP: 0, minP: 0 } },
  { seed: 7, inputCount: 9, outputCount: 5, config: { family: 'qwen2' } },
  { seed: 8, inputCount: 66, outputCount: 3, config: { family: 'qwen3' } },
];

type Counts = Record<Challenge['manner'] | 'convicted' | 'acquitted' | 'refused', number>;

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      challenges: { type: 'string', default: '10000' },
      seed: { type: 'string', default: '0' },
    },
  });
  const each = Math.ceil(Number(values.challenges) / JOBS.length);
  for (const job of JOBS) {
    if (!(await challengeJob(job, { seed: Number(values.seed), count: each }))) return false;
  }
  console.log(`${each * JOBS.length} challenges, seeds from ${values.seed}: judged alike`);
  return true;
}

async function challengeJob(
  job: Omit<HonestCaseOptions, 'hash'>,
  { seed, count }: { readonly seed: number; readonly count: number },
): Promise<boolean> {
  const of = challengedCase(honestCase({ ...job, hash: sha256 }), sha256);
  const counts: Counts = {
    ...{ opened: 0, changed: 0, lie: 0 },
    ...{ convicted: 0, acquitted: 0, refused: 0 },
  };
  let next = seed;
  for (let done = 0; done < count; ) {
    const challenges: Challenge[] = [];
    while (challenges.length < Math.min(PER_RUN, count - done)) {
      const challenge = await drawChallenge(of, next++);
      if (challenge === undefined) continue;
      judgeHere(of, challenge, { counts, seed: next - 1 });
      challenges.push(challenge);
    }
    if (!isJudgedByContracts(of, challenges)) return false;
    done += challenges.length;
  }
  const family = job.config?.family ?? 'llama';
  console.log(`${family}, job ${job.seed}, seeds to ${next - 1}: ${JSON.stringify(counts)}`);
  return true;
}

/** The judge in TypeScript, which must convict lies and nothing else. */
function judgeHere(
  of: ChallengedCase,
  challenge: Challenge,
  { counts, seed }: { readonly counts: Counts; readonly seed: number },
): void {
  counts[challenge.manner]++;
  const judged = judgeChallenge(of, challenge);
  if (judged === undefined) return;
  counts[judged]++;
  if ((judged === 'convicted') === (challenge.manner === 'lie')) return;
  throw new Error(`seed ${seed}: ${challenge.kind} (${challenge.manner}) was ${judged}`);
}

/** The contracts, which must convict lies and nothing else. */
function isJudgedByContracts(of: ChallengedCase, challenges: readonly Challenge[]): boolean {
  const { outputRoot } = of.signed;
  const proofs = challenges.map(({ kind, number, manner, traceRoot, bytes }) => {
    return {
      kind,
      number,
      op: manner,
      outputRoot,
      traceRoot,
      guilty: manner === 'lie',
      proof: bytes,
    };
  });
  const file = `${FOLDER}/challenges.json`;
  mkdirSync(join(ROOT, 'contracts', FOLDER), { recursive: true });
  const text = JSON.stringify({ groups: [{ case: of.signed, proofs }] }, (_, value) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
  writeFileSync(join(ROOT, 'contracts', file), text);
  Object.assign(process.env, LIMITS, { ASSAY_CHALLENGES_FILE: file });
  const parameters = ['test', '--root', 'contracts', '--match-contract', '^JudgeChallengesTest$'];
  const result = runForge([...parameters, '--match-test', 'test_challenges'], { quiet: true });
  const isPassed = result.status === 0 && result.output.includes('1 tests passed');
  if (!isPassed) console.log(result.output);
  return isPassed;
}

if (!(await main())) process.exitCode = 1;
