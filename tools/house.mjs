/**
 * The house before anything is installed: plain JavaScript on Node alone, so that `npm start` and `npm test` each
 * work as the only command on a fresh clone. It installs what is missing, builds what is stale, and runs the command.
 *
 *     node tools/house.mjs start [assay up options]     install, build, bring up a network
 *     node tools/house.mjs test [vitest options]        install, build, run the tests
 *     node tools/house.mjs build                        install, build everything
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const INSTALL_STAMP = join(ROOT, 'node_modules', '.assay-installed');
const PAGE = join(ROOT, 'packages', 'console', 'dist', 'page', 'index.html');

/** Oldest Node that runs this; see `engines` in package.json. */
const NODE_MIN = [20, 19];

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return;
  console.error(
    `node_too_old: this is Node ${process.versions.node}, Assay needs ${NODE_MIN.join('.')} or later.`,
  );
  process.exit(3);
}

/** Runs a program in the root; ends this process with its exit code if it fails. */
function run(program, args, options = {}) {
  const result = spawnSync(program, args, { cwd: ROOT, stdio: 'inherit', ...options });
  if (result.error) throw result.error;
  if (result.status !== 0) process.exit(result.status ?? 3);
}

const lockHash = () =>
  createHash('sha256')
    .update(readFileSync(join(ROOT, 'package-lock.json')))
    .digest('hex');

/**
 * Installs what the lock file says (`npm install`, not `npm ci`: registries that hold packages of one platform only
 * lack the optional ones of the others, and `ci` refuses then), unless this very lock file is installed already, with
 * or without development tools. */
function ensureInstalled({ dev }) {
  const stamp = existsSync(INSTALL_STAMP) ? readFileSync(INSTALL_STAMP, 'utf8') : '';
  if (stamp === `${lockHash()} all` || (!dev && stamp === `${lockHash()} run`)) return;
  console.log(dev ? 'Installing with development tools…' : 'Installing…');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const omit = dev ? [] : ['--omit=dev'];
  run(npm, [
    'install',
    '--no-save',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    ...omit,
  ]);
  writeFileSync(INSTALL_STAMP, `${lockHash()} ${dev ? 'all' : 'run'}`);
}

const bin = (name) => join(ROOT, 'node_modules', '.bin', name);

/** Newest change below a folder, in milliseconds. */
function newestMs(folder) {
  let newest = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile())
      newest = Math.max(newest, statSync(join(entry.parentPath, entry.name)).mtimeMs);
  }
  return newest;
}

/** The page depends on its own source and on the rooms that it runs in the browser. */
function isPageStale() {
  if (!existsSync(PAGE)) return true;
  const built = statSync(PAGE).mtimeMs;
  const rooms = ['console', 'compute', 'model', 'engine', 'protocol'];
  return rooms.some((room) => newestMs(join(ROOT, 'packages', room, 'src')) > built);
}

/** Compiles the given projects (incremental) and the page. */
function ensureBuilt(projects) {
  run(bin('tsc'), ['-b', ...projects]);
  if (isPageStale())
    run(bin('vite'), ['build', '--logLevel', 'warn'], { cwd: join(ROOT, 'packages', 'console') });
}

/** Replaces this process's work by a child that gets the terminal and its signals. */
function become(args) {
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? (signal ? 3 : 0)));
}

const COMMANDS = {
  start(args) {
    ensureInstalled({ dev: false });
    ensureBuilt(['packages/node']);
    become([join(ROOT, 'packages', 'node', 'bin', 'assay.mjs'), 'up', ...args]);
  },
  test(args) {
    ensureInstalled({ dev: true });
    ensureBuilt(['.']);
    become([join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...args]);
  },
  build() {
    ensureInstalled({ dev: true });
    ensureBuilt(['.']);
  },
};

requireNode();
const [command, ...args] = process.argv.slice(2);
const chosen = COMMANDS[command];
if (chosen === undefined) {
  console.error(`wrong_usage: node tools/house.mjs ${Object.keys(COMMANDS).join('|')}`);
  process.exit(2);
}
chosen(args);
