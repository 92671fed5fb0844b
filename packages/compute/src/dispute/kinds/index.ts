/** Every kind of proof about a trace, by name; numbers are those of `contracts/dispute/Kinds.sol`. */
import { FORM_KINDS } from './form.js';
import { LINEAR_KINDS } from './linear.js';
import { MAP_KINDS } from './maps.js';
import { ROW_KINDS } from './rows.js';
import { SAMPLING_KINDS } from './sampling.js';

export const TRACE_KINDS = {
  ...FORM_KINDS,
  ...LINEAR_KINDS,
  ...MAP_KINDS,
  ...ROW_KINDS,
  ...SAMPLING_KINDS,
} as const;

export type TraceKind = keyof typeof TRACE_KINDS;
