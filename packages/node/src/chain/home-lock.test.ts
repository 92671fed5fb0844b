import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lockHome } from './home-lock.js';
import { temporaryHome } from './testing/chain-kit.js';

const HOLDER = `
  import { lockHome } from ${JSON.stringify(new URL('../../dist/chain/home-lock.js', import.meta.url))};
  lockHome(process.argv[1]);
  console.log('held');
  setInterval(() => {}, 1000);
`;

describe('lockHome', () => {
  it('lets one in, and the next one after a release', () => {
    const home = temporaryHome();
    const lock = lockHome(home);
    expect(() => lockHome(home)).toThrow(expect.objectContaining({ code: 'home_in_use' }));
    lock.release();
    lockHome(home).release();
  });

  it('keeps other processes out, and is free again when the holder is killed', async () => {
    const home = temporaryHome();
    const holder = spawn(process.execPath, ['--input-type=module', '-e', HOLDER, home]);
    await once(holder.stdout, 'data');
    expect(() => lockHome(home)).toThrow(expect.objectContaining({ code: 'home_in_use' }));
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    lockHome(home).release();
  });

  it('says home_unwritable where no folder can be', () => {
    const file = join(temporaryHome(), 'file');
    writeFileSync(file, '');
    const refusal = expect.objectContaining({ code: 'home_unwritable' });
    expect(() => lockHome(join(file, 'home'))).toThrow(refusal);
  });
});
