/** Numbers of the kinds that need no trace: a receipt against its job. The rules are those of `FormJudge.sol`. */
export const BOUNDARY_KINDS = {
  outputCount: 0x06,
  price: 0x07,
  finish: 0x08,
  stopMissing: 0x09,
  stopPassed: 0x0a,
  outputLeaves: 0x0b,
} as const;

export type BoundaryKind = keyof typeof BOUNDARY_KINDS;
