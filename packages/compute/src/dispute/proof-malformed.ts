/** What provers and judges throw for a proof that does not hold together. */
import { AssayError, printValue } from '@assay/protocol';

/** A proof that does not open what its kind reads; a contract reverts. */
export const proofMalformed = (reason: string, value: unknown): AssayError =>
  new AssayError({
    code: 'proof_malformed',
    fault: 'peer',
    message: `The proof does not hold together: ${reason}.`,
    value: printValue(value),
    remedy: 'Build proofs with findFraud from the trace that the provider signed.',
  });
