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
});
