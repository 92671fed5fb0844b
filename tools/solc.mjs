#!/usr/bin/env node
/**
 * The two calls that Foundry makes to a native `solc` (`--version`, and standard JSON from stdin to stdout), answered
 * by the WebAssembly compiler of npm `solc`, so that a build downloads nothing. Foundry hands over every source, so an
 * import that reaches the callback is an error.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const solc = createRequire(import.meta.url)('solc');
const STDIN = 0;

if (process.argv.includes('--version')) {
  // Foundry parses the platform suffix of a native build.
  const version = solc.version().replace('.Emscripten.clang', '.Linux.g++');
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${version}\n`);
} else {
  const refuse = (path) => ({ error: `source not given: ${path}` });
  process.stdout.write(solc.compile(readFileSync(STDIN, 'utf8'), { import: refuse }));
}
