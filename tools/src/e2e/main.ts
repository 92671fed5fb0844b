/** `npm run e2e`: a real network, a real Chromium, every step of a visit. `--pictures FOLDER` keeps screenshots. */
import { existsSync } from 'node:fs';
import { removeHome, startNetwork } from '@assay/simulation';
import { runConsoleE2e } from './visit-console.js';
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
const network = await startNetwork();
try {
  const { steps } = await runConsoleE2e({
    url: network.url,
    executablePath,
    ...(pictures === undefined ? {} : { pictures }),
    log: (line) => process.stdout.write(`${line}\n`),
  });
  await visitWithKey({
    network,
    executablePath,
    ...(pictures === undefined ? {} : { pictures }),
    log: (line) => process.stdout.write(`${line}\n`),
  });
  process.stdout.write(`${steps.length + 1} steps passed in Chromium\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
} finally {
  await network.stop();
  removeHome(network.home);
}
process.exit();
