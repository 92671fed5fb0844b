/** Ways in which a provider cheats; each wraps the honest maker of tokens. They live here, never in the product. */
import type { Generate } from '@assay/compute';
import {
  CONTROL_FAULT_KINDS,
  type ControlFault,
  isControlFault,
  withControlFault,
} from './control-faults.js';

/** `position` counts output tokens from 0. */
export type Fault =
  | { readonly kind: 'none' }
  /** One token of the answer is another than the model chose. */
  | { readonly kind: 'flip-token'; readonly position: number }
  /** The answer ends before the model ends it, with a stop id that the model did not choose. */
  | { readonly kind: 'early-stop'; readonly position: number }
  /** What the job's controls ask for is not done. */
  | ControlFault;

export const FAULT_KINDS = ['none', 'flip-token', 'early-stop', ...CONTROL_FAULT_KINDS] as const;

/** The token that a cheat puts in place of `token`: the next id, or the one before at the end of the range. */
const otherToken = (token: number): number => (token > 0 ? token - 1 : 1);

export function withFault(generate: Generate, fault: Fault): Generate {
  if (fault.kind === 'none') return generate;
  if (isControlFault(fault)) return withControlFault(generate, fault);
  return async function* (input) {
    let position = 0;
    for await (const { tokens } of generate(input)) {
      for (const token of tokens) {
        const here = position++ === fault.position;
        if (here && fault.kind === 'early-stop') {
          yield { tokens: [input.job.sampler.stopIds[0]!] };
          return;
        }
        yield { tokens: [here ? otherToken(token) : token] };
      }
    }
  };
}
