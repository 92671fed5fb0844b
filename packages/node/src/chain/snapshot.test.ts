import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openSnapshots } from './snapshot.js';
import { temporaryHome } from './testing/chain-kit.js';

describe('openSnapshots', () => {
  it('keeps the newest two and gives them back byte by byte', async () => {
    const folder = join(temporaryHome(), 'snapshots');
    const store = openSnapshots(folder);
    expect(store.newestFirst()).toEqual([]);
    for (const number of [5, 30, 200]) await store.write(number, Buffer.from(`state ${number}`));
    const again = openSnapshots(folder).newestFirst();
    expect(again.map((snapshot) => snapshot.number)).toEqual([200, 30]);
    expect((await store.read(again[0]!)).toString()).toBe('state 200');
    expect(readdirSync(folder)).toHaveLength(2);
  });

  it('refuses a truncated and a changed file', async () => {
    const store = openSnapshots(temporaryHome());
    await store.write(1, Buffer.from('some state'));
    const snapshot = store.newestFirst()[0]!;
    const bytes = readFileSync(snapshot.file);
    truncateSync(snapshot.file, bytes.length - 1);
    await expect(store.read(snapshot)).rejects.toThrow('not the ones');
    bytes[0]! ^= 1;
    writeFileSync(snapshot.file, bytes);
    await expect(store.read(snapshot)).rejects.toThrow('not the ones');
  });

  it('never lists a draft, and clears it with the next snapshot', async () => {
    const folder = temporaryHome();
    const store = openSnapshots(folder);
    writeFileSync(join(folder, 'snapshot-000000000009-00.gz.draft'), 'half');
    expect(store.newestFirst()).toEqual([]);
    await store.write(10, Buffer.from('whole'));
    expect(readdirSync(folder)).toHaveLength(1);
  });
});
