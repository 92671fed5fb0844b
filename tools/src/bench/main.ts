/**
 * `npm run bench -- NAME [--json]`: measures ours and a peer in one run, side by side. A ratio above 1 means ours is
 * better where more is better, and says so per row by its unit.
 */
import { type BenchReport, printReport } from './report.js';

const BENCHES: Readonly<Record<string, (options: readonly string[]) => Promise<BenchReport>>> = {
  engine: async (options) => (await import('./engine.js')).benchEngine(options),
  gateway: async () => (await import('./gateway.js')).benchGateway(),
  serving: async () => (await import('./serving.js')).benchServing(),
  quality: async (options) => (await import('./quality.js')).benchQuality(options),
  families: async () => (await import('./families.js')).benchFamilies(),
  trace: async (options) => (await import('./trace.js')).benchTrace(options),
  index: async () => (await import('./index.js')).benchIndex(),
};

const [name, ...options] = process.argv.slice(2);
const bench = BENCHES[name ?? ''];
if (bench === undefined) {
  process.stderr.write(
    `wrong_usage: npm run bench -- ${Object.keys(BENCHES).join('|')} [--json]\n`,
  );
  process.exit(2);
}
printReport(await bench(options), options.includes('--json'));
process.exit(0);
