/** Providers that do not do what the controls of a job ask for; each wraps the honest maker of tokens. */
import type { Generate, Generated } from '@assay/compute';
import {
  type Controls,
  DEFAULT_CONTROLS,
  decodeControls,
  encodeControls,
  fromHex,
  toHex,
} from '@assay/protocol';

export const CONTROL_FAULT_KINDS = ['ignore-controls'] as const;

/**
 * Penalties, biases and grammars are not applied, and what is reported besides tokens is false in one bit: at the token
 * `position`, or at that element of an embedding.
 */
export type ControlFault = {
  readonly kind: (typeof CONTROL_FAULT_KINDS)[number];
  readonly position: number;
};

export const isControlFault = (fault: { readonly kind: string }): fault is ControlFault =>
  (CONTROL_FAULT_KINDS as readonly string[]).includes(fault.kind);

export const withControlFault = (generate: Generate, { position }: ControlFault): Generate =>
  withFalseDetail(
    without(generate, ({ topLogprobs, pooling }) => ({
      ...DEFAULT_CONTROLS,
      ...(topLogprobs === undefined ? {} : { topLogprobs }),
      ...(pooling === undefined ? {} : { pooling }),
    })),
    (size, tokenCount) => position * (tokenCount === 0 ? 4 : size / tokenCount),
  );

/** Computes the job under other controls than it was asked for. */
function without(generate: Generate, change: (asked: Controls) => Controls): Generate {
  return (input) => {
    const { controls: bytes, ...rest } = input;
    const asked = decodeControls(fromHex(bytes ?? '0x'));
    const done = encodeControls(change(asked));
    return generate(done.length === 0 ? rest : { ...rest, controls: toHex(done) });
  };
}

/** One bit of the details is another, at the byte that `at` names from the first piece that reaches it. */
function withFalseDetail(
  generate: Generate,
  at: (size: number, tokenCount: number) => number,
): Generate {
  return async function* (input) {
    let bytesBefore = 0;
    for await (const generated of generate(input)) {
      const changed = changeDetail(generated, at, bytesBefore);
      bytesBefore += generated.detail?.length ?? 0;
      yield changed;
    }
  };
}

function changeDetail(
  generated: Generated,
  at: (size: number, tokenCount: number) => number,
  bytesBefore: number,
): Generated {
  const { tokens, detail } = generated;
  if (detail === undefined) return generated;
  // The lowest bit of the number's last byte: the least that can be wrong.
  const byte = at(detail.length, tokens.length) - bytesBefore + 3;
  if (byte < 0 || byte >= detail.length) return generated;
  return { tokens, detail: detail.with(byte, detail[byte]! ^ 1) };
}
