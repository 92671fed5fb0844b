/** `npm run e2e`: a real network, a real Chromium, every step of a visit. `--pictures FOLDER` keeps screenshots. */
import { existsSync } from 'node:fs';
import { removeHome, startNetwork } from '@assay/simulation';
import { runConsoleE2e } from './visit-console.js';
import { visitCourt } from './visit-court.js';
import { visitWithKey } from './visit-with-key.js';

/** Where Debian and others put it; `CHROMIUM` names another. */
const PROGRAMS = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];

const executablePath = PROGRAMS.find((path) => path !== undefined && existsSync(path));
if (executablePath === undefined) {
  process.stderr.write('chromium_missing: install Chromium, or name it with CHROMIUM=/path\n');
  process.exit(3);
}

const at = process.argv.indexOf('--pictures');
const pictures = at < 0 ? undefined : process.argv[at + 1];
const common = {
  executablePath,
  ...(pictures === undefined ? {} : { pictures }),
  log: (line: string) => process.stdout.write(`${line}\n`),
};
/** Every receipt is audited, so that a visitor sees one. */
const AUDIT_TERMS = { rate: 2 ** 32 - 1, commitTime: 15, revealTime: 10 };

const network = await startNetwork({ args: ['--audit-terms', JSON.stringify(AUDIT_TERMS)] });
try {
  const { steps } = await runConsoleE2e({ url: network.url, ...common });
  await visitWithKey({ network, ...common });
  // Last: from here on a provider that cheats is on the network.
  await visitCourt({ network, ...common });
  process.stdout.write(`${steps.length + 2} steps passed in Chromium\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
} finally {
  await network.stop();
  removeHome(network.home);
}
process.exit();
