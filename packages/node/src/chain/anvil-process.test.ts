import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findAnvil } from './anvil-binary.js';
import { startAnvil } from './anvil-process.js';
import { SILENT_LOG } from './chain-engine.js';
import { anvilsOf, eventually, temporaryHome } from './testing/chain-kit.js';

const GENESIS = {
  chainId: 31_337,
  timestamp: 1_700_000_000,
  hardfork: 'osaka',
  blockGasMax: 300_000_000,
};

const PARENT = `
  import { startAnvil } from ${JSON.stringify(new URL('../../dist/chain/anvil-process.js', import.meta.url))};
  const log = { info() {}, warn() {}, error() {} };
  const genesis = JSON.parse(process.argv[2]);
  await startAnvil({ genesis, folder: process.argv[1] + '/anvil', log });
  console.log('up');
  setInterval(() => {}, 1000);
`;

describe('findAnvil', () => {
  it('finds the installed program, and says what is missing elsewhere', () => {
    expect(findAnvil()).toMatch(/anvil(\.exe)?$/);
    const refusal = expect.objectContaining({
      code: 'anvil_missing',
      value: '@foundry-rs/anvil-plan9-mips',
    });
    expect(() => findAnvil('plan9', 'mips')).toThrow(refusal);
  });
});

describe('startAnvil', () => {
  it('mines only when told to, with the time it is told, and leaves no files', async () => {
    const home = temporaryHome();
    const anvil = await startAnvil({ genesis: GENESIS, folder: `${home}/anvil`, log: SILENT_LOG });
    await anvil.client.call('evm_mine', [{ timestamp: 1_700_000_005 }]);
    await anvil.client.call('evm_mine', [{ timestamp: 1_700_000_005 }]);
    const block = await anvil.client.call('eth_getBlockByNumber', ['latest', false]);
    expect(block).toMatchObject({ number: '0x2', timestamp: '0x6553f105', gasLimit: '0x11e1a300' });
    await anvil.kill();
    expect(readdirSync(`${home}/anvil`)).toEqual([]);
    expect(await anvil.exited).toMatch(/exit/);
    await expect(anvil.client.call('eth_chainId')).rejects.toMatchObject({ code: 'chain_gone' });
  });

  it.runIf(process.platform === 'linux')('dies when its parent is killed', async () => {
    const home = temporaryHome();
    const args = ['--input-type=module', '-e', PARENT, home, JSON.stringify(GENESIS)];
    const parent = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(parent.stdout, 'data');
    expect(anvilsOf(home)).toHaveLength(1);
    parent.kill('SIGKILL');
    await eventually(() => anvilsOf(home).length === 0);
  });

  it.runIf(process.platform === 'linux')('lives under a memory limit', async () => {
    const options = { genesis: GENESIS, folder: `${temporaryHome()}/anvil`, log: SILENT_LOG };
    await expect(startAnvil({ ...options, memoryKibMax: 50_000 })).rejects.toMatchObject({
      code: 'anvil_unstartable',
    });
  });

  it('says anvil_unstartable for a program that ends at once', async () => {
    const options = { genesis: GENESIS, folder: `${temporaryHome()}/anvil`, log: SILENT_LOG };
    await expect(startAnvil({ ...options, program: '/bin/false' })).rejects.toMatchObject({
      code: 'anvil_unstartable',
    });
    await expect(startAnvil({ ...options, program: '/nonexistent' })).rejects.toMatchObject({
      code: 'anvil_unstartable',
    });
  });
});
