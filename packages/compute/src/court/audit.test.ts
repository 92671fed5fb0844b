/** The rules of audits against the table that the contract is held to, and against its own digests. */
import { readFileSync } from 'node:fs';
import { auditDomain, hashPlant } from '@assay/protocol';
import { describe, expect, it } from 'vitest';
import {
  AUDIT_REPORTS,
  AUDIT_STATES,
  type AuditReport,
  type AuditState,
  auditDeadlines,
  auditedIndices,
  auditFee,
  auditOutcome,
  auditPhase,
  auditState,
  FINDINGS,
  isAudited,
  OUTCOMES,
  plantCommitment,
  reportCommitment,
  seatDrawn,
} from './audit.js';

const ADDRESS = `0x${'11'.repeat(20)}` as const;
const word = (byte: string) => `0x${byte.repeat(32)}` as const;
const BEACON = word('ab');
const TIMES = { commitTime: 10, revealTime: 20, disputeTime: 30 };
const table = JSON.parse(
  readFileSync(new URL('../../../../vectors/court/audits.json', import.meta.url), 'utf8'),
) as {
  readonly findings: unknown;
  readonly outcomes: unknown;
  readonly states: unknown;
  readonly reports: unknown;
  readonly rows: readonly {
    readonly state: AuditState;
    readonly report: AuditReport;
    readonly outcome: string;
    readonly late: string;
  }[];
};

describe('auditOutcome', () => {
  it('is the shared table', () => {
    expect(table.findings).toEqual(FINDINGS);
    expect(table.outcomes).toEqual(OUTCOMES);
    expect(table.states).toEqual(AUDIT_STATES);
    expect(table.reports).toEqual(AUDIT_REPORTS);
    const rows = AUDIT_STATES.flatMap((state) =>
      AUDIT_REPORTS.map((report) => ({
        state,
        report,
        outcome: auditOutcome({ state, report, late: false }),
        late: auditOutcome({ state, report, late: true }),
      })),
    );
    expect(rows).toEqual(table.rows);
  });

  it('leaves nothing pending in the end, and takes nothing back', () => {
    for (const { outcome, late } of table.rows) {
      expect(late).not.toBe('none');
      if (outcome !== 'none') expect(late).toBe(outcome);
    }
  });
});

describe('auditState', () => {
  it('asks for a planted fault first, then for the court', () => {
    const facts = { answered: true, convicted: true, planted: true };
    expect(auditState(facts)).toBe('planted');
    expect(auditState({ ...facts, planted: false })).toBe('convicted');
    expect(auditState({ answered: false, convicted: true, planted: false })).toBe(
      'convictedUnanswered',
    );
    expect(auditState({ answered: true, convicted: false, planted: false })).toBe('answered');
    expect(auditState({ answered: false, convicted: false, planted: false })).toBe('unanswered');
  });
});

describe('isAudited', () => {
  it('draws as often as the rate says', () => {
    const count = 4_000n;
    const draw = { beacon: BEACON, count, postedBlock: 1n, drawnAt: 0n, seatCount: 1 };
    const drawn = auditedIndices(draw, 2 ** 32 / 20).length;
    expect(drawn).toBeGreaterThan(150);
    expect(drawn).toBeLessThan(250);
    expect(auditedIndices({ ...draw, seatCount: 0 }, 2 ** 32 - 1)).toEqual([]);
  });

  it('knows nothing of what is in a receipt, and everything of the beacon', () => {
    const drawnOf = (beacon: `0x${string}`) =>
      Array.from({ length: 64 }, (_, index) => isAudited(beacon, BigInt(index), 2 ** 31));
    expect(drawnOf(BEACON)).toEqual(drawnOf(BEACON));
    expect(drawnOf(BEACON)).not.toEqual(drawnOf(word('ac')));
  });
});

describe('seatDrawn', () => {
  it('spreads places over the slots', () => {
    const hits = [0, 0, 0, 0, 0];
    for (let index = 0n; index < 500n; index++) {
      for (const place of [0, 1]) hits[seatDrawn(BEACON, index, place, 5)]! += 1;
    }
    for (const count of hits) expect(count).toBeGreaterThan(150);
  });
});

describe('commitments', () => {
  const place = { provider: ADDRESS, epoch: 1n, index: 2n, place: 0 };
  const report = {
    beacon: BEACON,
    place,
    finding: 'right',
    root: word('01'),
    holder: ADDRESS,
    salt: word('02'),
  } as const;

  it('of reports change with everything that they hold', () => {
    const other = `0x${'22'.repeat(20)}` as const;
    const changes = [
      { beacon: word('ac') },
      { place: { ...place, place: 1 } },
      { place: { ...place, index: 3n } },
      { finding: 'wrong' },
      { root: word('03') },
      { holder: other },
      { salt: word('04') },
    ] as const;
    const digests = [{}, ...changes].map((change) => reportCommitment({ ...report, ...change }));
    expect(new Set(digests).size).toBe(digests.length);
  });

  it('of plants name their planter', () => {
    const plant = { jobId: word('05'), root: word('06'), planter: ADDRESS, salt: word('07') };
    const other = `0x${'22'.repeat(20)}` as const;
    expect(plantCommitment(plant)).not.toBe(plantCommitment({ ...plant, planter: other }));
  });

  it('of a requester to a planted fault hold on one contract only', () => {
    const plant = { jobId: word('05'), root: word('06') };
    const other = `0x${'22'.repeat(20)}` as const;
    expect(hashPlant(auditDomain(1, ADDRESS), plant)).not.toBe(
      hashPlant(auditDomain(1, other), plant),
    );
  });
});

describe('auditPhase', () => {
  it('ends each phase with its last second', () => {
    const draw = { drawnAt: 100n };
    expect(auditDeadlines(draw, TIMES)).toEqual({ commit: 110n, reveal: 130n, dispute: 160n });
    const phases = [100n, 110n, 111n, 130n, 131n, 160n, 161n].map((now) =>
      auditPhase(draw, TIMES, now),
    );
    expect(phases).toEqual([
      'committing',
      'committing',
      'revealing',
      'revealing',
      'disputing',
      'disputing',
      'over',
    ]);
  });
});

describe('auditFee', () => {
  it('is a share of the price, rounded down, or the least fee', () => {
    const terms = { feeShare: 1_000, feeMin: 5n };
    expect(auditFee(109n, terms)).toBe(10n);
    expect(auditFee(49n, terms)).toBe(5n);
    expect(auditFee(0n, terms)).toBe(5n);
  });
});
