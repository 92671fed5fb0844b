/** Ways in which a provider cheats; each wraps the honest maker of tokens. They live here, never in the product. */
import type { Generate } from '@assay/compute';

/** `position` counts output tokens from 0. */
export type Fault =
  | { readonly kind: 'none' }
  /** One token of the answer is another than the model chose. */
  | { readonly kind: 'flip-token'; readonly position: number }
  /** The answer ends before the model ends it, with a stop id that the model did not choose. */
  | { readonly kind: 'early-stop'; readonly position: number };

export const FAULT_KINDS = ['none', 'flip-token', 'early-stop'] as const;

/** The token that a cheat puts in place of `token`: the next id, or the one before at the end of the range. */
const otherToken = (token: number): number => (token > 0 ? token - 1 : 1);

export function withFault(generate: Generate, fault: Fault): Generate {
  if (fault.kind === 'none') return generate;
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
