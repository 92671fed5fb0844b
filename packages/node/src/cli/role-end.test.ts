import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const CLI = fileURLToPath(new URL('../../bin/assay.mjs', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'assay-end-'));
afterAll(() => rmSync(home, { recursive: true }));

/** Keeps a process alive as an engine thread or a listening server does. */
const KEEP_ALIVE = 'data:text/javascript,setInterval(() => {}, 1000)';

/** Longer than any of these commands needs on a loaded machine. */
const HANGS_AFTER_MS = 20_000;

async function run(...args: readonly string[]) {
  const child = spawn(
    process.execPath,
    ['--import', KEEP_ALIVE, CLI, ...args, '--json', '--home', home],
    { stdio: ['ignore', 'pipe', 'ignore'], env: { PATH: process.env['PATH'] } },
  );
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), HANGS_AFTER_MS);
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  clearTimeout(timer);
  return { code, signal, output };
}

describe('a role whose start fails', { timeout: 2 * HANGS_AFTER_MS }, () => {
  it.each(['provider', 'verifier', 'gateway'])('%s ends with its exit code', async (role) => {
    const { code, signal, output } = await run(role, '--port', '0');
    expect({ code, signal }).toEqual({ code: 1, signal: null });
    expect(JSON.parse(output)).toMatchObject({ error: { code: 'network_not_running' } });
  });

  it.each([
    ['--name', ''],
    ['--name', 'two words'],
    ['--name', 'a'.repeat(65)],
    ['--endpoint', ''],
    ['--endpoint', 'ftp://127.0.0.1'],
  ])('a provider refuses %s %j before it opens anything', async (option, value) => {
    const { code, output } = await run('provider', '--port', '0', `${option}=${value}`);
    expect(code).toBe(1);
    expect(JSON.parse(output)).toMatchObject({ error: { code: 'invalid_value' } });
  });

  it('ends with 3 when the platform failed', async () => {
    const { code, output } = await run('verifier', '--port', '0', '--rpc', 'http://127.0.0.1:1');
    expect(code).toBe(3);
    expect(JSON.parse(output)).toMatchObject({ error: { code: 'chain_unreachable' } });
  });
});

describe('wrong usage', { timeout: HANGS_AFTER_MS }, () => {
  it.each([
    ['up', '--threads=0'],
    ['up', '--check-share=7'],
    ['up', '--port=70000'],
    ['gateway', '--parallel=0'],
    ['provider', '--claim-seconds=0'],
    ['stake request', '--amount=-1'],
    ['channel leave', '--json'],
  ])('is what no run can mean: assay %s %s', (words, option) => {
    const args = [CLI, ...words.split(' '), option, '--home', home];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(status).toBe(2);
    expect(stderr).toMatch(/^error: /);
  });
});
