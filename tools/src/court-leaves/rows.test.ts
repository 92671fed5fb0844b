/** Short lane of `npm run leaves`: the kernels give the rows that the vectors of the court hold. */
import { createKernelOps } from '@assay/engine/kernel-ops';
import { describe, expect, it } from 'vitest';
import { COURT_OPS, leafFile, REFERENCE } from './rows.js';

const ROWS = 48;

describe('leafFile', () => {
  const kernels = createKernelOps();
  const names = Object.keys(COURT_OPS).filter((op) => COURT_OPS[op]!.hasKernel);

  it.each(names)('is the same by the reference and by the kernels: %s', (op) => {
    const shape = { first: 1000, rows: ROWS };
    const expected = leafFile(op, { ...shape, ops: REFERENCE });
    expect(leafFile(op, { ...shape, ops: kernels })).toEqual(expected);
    expect(expected.leaves).toBe(ROWS * COURT_OPS[op]!.leaves);
  });

  it('holds every op that a kernel computes, alone or within attention', () => {
    expect(names).toHaveLength(12);
    const alone = Object.keys(COURT_OPS).filter((op) => !COURT_OPS[op]!.hasKernel);
    expect(alone).toEqual(['scores', 'softmax', 'mix', 'sampler']);
  });
});
