/** A provider that does not do what the controls of a job ask for; it wraps the honest maker of tokens. */
import type { Generate, Generated } from '@assay/compute';

export const CONTROL_FAULT_KINDS = ['ignore-controls'] as const;

/**
 * Penalties, biases and grammars are not applied; where something is reported besides tokens, it is false in one bit:
 * at the token `position`, or at that element of an embedding.
 */
export type ControlFault = {
  readonly kind: (typeof CONTROL_FAULT_KINDS)[number];
  readonly position: number;
};

export const isControlFault = (fault: { readonly kind: string }): fault is ControlFault =>
  (CONTROL_FAULT_KINDS as readonly string[]).includes(fault.kind);

export const withControlFault = (generate: Generate, { position }: ControlFault): Generate =>
  async function* (input) {
    let bytesBefore = 0;
    for await (const generated of generate(input)) {
      if (generated.detail === undefined) {
        const { controls: _, ...uncontrolled } = input;
        yield* generate(uncontrolled);
        return;
      }
      yield withFalseBit(generated, { position, bytesBefore });
      bytesBefore += generated.detail.length;
    }
  };

function withFalseBit(
  { tokens, detail = new Uint8Array(0) }: Generated,
  { position, bytesBefore }: { readonly position: number; readonly bytesBefore: number },
): Generated {
  const size = tokens.length === 0 ? 4 : detail.length / tokens.length;
  // The lowest bit of the first number there: the least that can be wrong.
  const byte = position * size - bytesBefore + 3;
  if (byte < 0 || byte >= detail.length) return { tokens, detail };
  return { tokens, detail: detail.with(byte, detail[byte]! ^ 1) };
}
