/** Finds the anvil program that npm installed for this machine; PATH is never asked, versions matter. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { anvilMissing } from './chain-errors.js';

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Absolute path of anvil, from the platform package beside `@foundry-rs/anvil`. */
export function findAnvil(
  platform: string = process.platform,
  arch: string = process.arch,
): string {
  const packageName = `@foundry-rs/anvil-${platform}-${ARCHITECTURES[arch] ?? arch}`;
  const program = platform === 'win32' ? 'anvil.exe' : 'anvil';
  try {
    const own = createRequire(import.meta.url);
    const sibling = createRequire(own.resolve('@foundry-rs/anvil/package.json'));
    return join(dirname(sibling.resolve(`${packageName}/package.json`)), 'bin', program);
  } catch (cause) {
    throw anvilMissing(packageName, cause);
  }
}
