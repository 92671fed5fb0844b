/**
 * Runs Foundry's `forge` with its own exit status. The launcher in npm's `@foundry-rs/forge` 1.7.1 ends with status 0
 * whatever happened, so a failing test would pass in CI; this starts the binary of the platform package itself.
 *
 *     node tools/dist/forge.js test --root contracts
 */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** Path of the binary for this platform. */
export function forgePath(): string {
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const file = process.platform === 'win32' ? 'forge.exe' : 'forge';
  const name = `@foundry-rs/forge-${process.platform}-${architecture}/bin/${file}`;
  // The platform package is a dependency of the launcher, wherever npm put it.
  const launcher = createRequire(import.meta.url).resolve('@foundry-rs/forge/package.json');
  return createRequire(launcher).resolve(name);
}

export type ForgeResult = { readonly status: number; readonly output: string };

/** Runs forge in the root of the repository; `quiet` keeps what it says instead of printing it. */
export function runForge(parameters: readonly string[], options?: { quiet: boolean }): ForgeResult {
  const quiet = options?.quiet ?? false;
  const result = spawnSync(forgePath(), parameters, {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: quiet ? 'pipe' : 'inherit',
  });
  if (result.error) throw result.error;
  const output = quiet ? `${result.stdout}${result.stderr}` : '';
  return { status: result.status ?? 1, output };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.exitCode = runForge(process.argv.slice(2)).status;
}
