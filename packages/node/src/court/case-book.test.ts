import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Hex } from '@assay/protocol';
import { afterAll, describe, expect, it } from 'vitest';
import { type CaseRecord, openCaseBook } from './case-book.js';

const folder = mkdtempSync(join(tmpdir(), 'assay-cases-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const jobOf = (byte: string): Hex => `0x${byte.repeat(32)}`;
const record = (byte: string, startedAt: number): CaseRecord => ({
  ...{ jobId: jobOf(byte), provider: `0x${'11'.repeat(20)}`, modelId: jobOf('22'), startedAt },
  ...{ state: 'convicted', steps: [{ move: 'prove', transaction: jobOf('33'), gas: 278_278n }] },
  finding: {
    ...{ kind: 'swiGluElement', number: 17, data: `0x${'ff'.repeat(64)}` },
    place: { position: 13, node: 40, op: 'swiGlu', layer: 2, layerCount: 4, head: 0, index: 0 },
    ...{ expected: -1040, found: -1039 },
  },
});

describe('openCaseBook', () => {
  it('shares cases among those who open the same folder', () => {
    const verifier = openCaseBook(folder);
    openCaseBook(folder).write(record('aa', 1));
    expect(verifier.read(jobOf('aa'))).toMatchObject({
      state: 'convicted',
      finding: { expected: -1040, found: -1039, place: { layer: 2 } },
      steps: [{ move: 'prove', gas: '278278' }],
    });
  });

  it('leaves the proof to the chain', () => {
    const book = openCaseBook(folder);
    book.write(record('ab', 2));
    expect(book.read(jobOf('ab'))).toMatchObject({ finding: { data: '0x' } });
  });

  it('lists the newest first, and one case per job', () => {
    const book = openCaseBook(folder);
    book.write(record('ac', 3));
    book.write({ ...record('ac', 3), state: 'dismissed' });
    const listed = book.list() as readonly CaseRecord[];
    expect(listed.map(({ jobId }) => jobId)).toEqual([jobOf('ac'), jobOf('ab'), jobOf('aa')]);
    expect(listed[0]!.state).toBe('dismissed');
  });

  it('knows no job that is none', () => {
    const book = openCaseBook(folder);
    expect(book.read(jobOf('dd'))).toBeUndefined();
    expect(book.read('../aa' as Hex)).toBeUndefined();
  });

  it('gives a case to one process at a time, and takes it back when that one ends', async () => {
    const book = openCaseBook(folder);
    const letGo = book.claim(jobOf('cc'));
    const code = (take: () => unknown): unknown => {
      try {
        take();
        return 'taken';
      } catch (error) {
        return (error as { code?: unknown }).code;
      }
    };
    expect(code(() => openCaseBook(folder).claim(jobOf('cc')))).toBe('case_under_way');
    book.claim(jobOf('dd'))();
    letGo();
    expect(code(() => book.claim(jobOf('cc'))())).toBe('taken');
    // A process that was killed lets go as well: the lock is one of the system.
    const module = new URL('../../dist/court/case-book.js', import.meta.url).href;
    const script = `const { openCaseBook } = await import(${JSON.stringify(module)});
      openCaseBook(${JSON.stringify(folder)}).claim(${JSON.stringify(jobOf('ee'))});
      console.log('claimed'); setInterval(() => undefined, 1000);`;
    const other = spawn(process.execPath, ['--input-type=module', '-e', script]);
    await once(other.stdout, 'data');
    expect(code(() => book.claim(jobOf('ee')))).toBe('case_under_way');
    other.kill('SIGKILL');
    await once(other, 'exit');
    expect(code(() => book.claim(jobOf('ee'))())).toBe('taken');
  });
});
