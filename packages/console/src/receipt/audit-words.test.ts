import { describe, expect, it } from 'vitest';
import type { AuditAnswer, AuditReport } from '../gateway.js';
import { auditLine, findingWords, outcomeWords } from './audit-words.js';

const report = (place: number, change: Partial<AuditReport> = {}): AuditReport => ({
  ...{ place, verifier: `0x0${place}`, finding: 'right', root: '0x11', outcome: 'paid' },
  ...{ amount: '5' },
  ...change,
});
const audit = (...reports: AuditReport[]): AuditAnswer => ({
  ...{ jobId: '0x01', provider: '0x02', epoch: '3', index: '0', drawnAt: 1, root: '0x11' },
  ...{ planted: false, reports },
});

describe('auditLine', () => {
  it('counts verifiers, and their seats where they have more than one', () => {
    expect(auditLine(audit(report(0), report(1)))).toBe('Audited by 2 verifiers: right');
    const same = report(1, { verifier: '0x00' });
    expect(auditLine(audit(report(0), same))).toBe('Audited by 1 verifier with 2 seats: right');
  });

  it('tells apart what was found', () => {
    const line = auditLine(audit(report(0), report(1, { finding: 'wrong' })));
    expect(line).toBe('Audited by 2 verifiers: 1 right, 1 wrong');
  });

  it('says when the fault was planted', () => {
    const planted = { ...audit(report(0, { finding: 'wrong' })), planted: true };
    expect(auditLine(planted)).toBe('Audited by 1 verifier: wrong; the fault was planted');
  });
});

describe('findingWords', () => {
  it('knows sealed reports from silence', () => {
    expect(findingWords(report(0, { finding: null, outcome: null }))).toBe('sealed');
    expect(findingWords(report(0, { finding: null, outcome: 'absent' }))).toBe('kept silent');
  });
});

describe('outcomeWords', () => {
  it('has a word for each end, and for none', () => {
    const ends = [null, 'paid', 'unpaid', 'absent', 'forfeited'] as const;
    expect(ends.map((outcome) => outcomeWords(report(0, { outcome })))).toEqual([
      ...['open', 'paid', 'unpaid', 'absent, lost', 'forfeited, lost'],
    ]);
  });
});
