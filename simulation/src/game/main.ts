/** `node simulation/dist/game/main.js [--seed N] [--games N] [--json]`: plays every attack and says who gained what. */
import { parseArgs } from 'node:util';
import { type Measured, measure } from './measure.js';
import { play } from './play.js';
import { HONEST_MARKET, SCENARIOS } from './scenarios.js';

/** A few seconds of work. */
const GAMES = 5;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    games: { type: 'string', default: String(GAMES) },
    json: { type: 'boolean', default: false },
  },
});

const numberOf = (text: string, name: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`--${name} is not a count: ${text}`);
  return value;
};

const seed = numberOf(values.seed, 'seed');
const seeds = Array.from({ length: numberOf(values.games, 'games') }, (_, i) => seed + i);
const market = play(HONEST_MARKET, { seed });
const measured = SCENARIOS.map((scenario) => measure(scenario, seeds));

const dollars = (units: bigint): string => (Number(units) / 1e6).toFixed(2).padStart(9);
const isGap = ({ excessFixed }: Measured): boolean => excessFixed !== undefined;

if (values.json) {
  const text = (_: string, value: unknown): unknown =>
    typeof value === 'bigint' ? value.toString() : value;
  const gains = Object.fromEntries(market.gains);
  process.stdout.write(`${JSON.stringify({ seed, market: gains, attacks: measured }, text)}\n`);
} else {
  process.stdout.write(
    `honest market, seed ${seed}: ${market.jobs} jobs, ${market.audits} audits, dollars gained\n`,
  );
  for (const [name, gain] of market.gains)
    if (gain !== 0n) process.stdout.write(`  ${name.padEnd(30)} ${dollars(gain)}\n`);
  process.stdout.write(
    `\n${'attack'.padEnd(32)}   attack   honest   excess  convicted   burned  rule broken\n`,
  );
  for (const row of measured) {
    const numbers = [row.gain, row.honestGain, row.excess].map(dollars).join('');
    const share = `${Math.round(row.convicted * 100)} %`.padStart(10);
    const rest = `${dollars(row.burned)} ${dollars(row.excessBroken)}`;
    const note = isGap(row) ? `  pays today; fixed: ${dollars(row.excessFixed!).trim()}` : '';
    process.stdout.write(`${row.name.padEnd(32)}${numbers}${share}${rest}${note}\n`);
  }
}
