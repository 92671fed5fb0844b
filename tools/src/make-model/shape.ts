/**
 * The shape of the model and where each parameter lies in the trainer's flat array. It knows no
 * values. The order must agree with `assembly/index.ts`.
 */

export type Shape = {
  readonly width: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly hidden: number;
  readonly layers: number;
  readonly vocabulary: number;
  /** Tokens of one gradient group, padding included: a multiple of 4. */
  readonly rows: number;
};

/** A span of parameters that is reduced and updated as one task. */
export type Span = {
  readonly name: string;
  readonly offset: number;
  readonly rows: number;
  readonly columns: number;
};

/** Head size is compiled into the kernels. */
export const HEAD_SIZE = 32;
/** Positions that the rotary table covers and the file declares. */
export const CONTEXT = 512;
export const ROPE_BASE = 10_000;
export const NORM_EPSILON = 1e-5;

/** The model that the repository ships. */
export const MINI: Shape = {
  width: 192,
  heads: 6,
  kvHeads: 3,
  hidden: 512,
  layers: 4,
  vocabulary: 1536,
  rows: 256,
};

/** Every parameter tensor in memory order, under its name in a GGUF file. */
export function listSpans(shape: Shape): readonly Span[] {
  const { width, hidden, vocabulary } = shape;
  const queryWidth = shape.heads * HEAD_SIZE;
  const keyWidth = shape.kvHeads * HEAD_SIZE;
  const spans: Span[] = [];
  let offset = 0;
  const add = (name: string, rows: number, columns: number): void => {
    spans.push({ name: `${name}.weight`, offset, rows, columns });
    offset += rows * columns;
  };
  add('token_embd', vocabulary, width);
  for (let layer = 0; layer < shape.layers; layer++) {
    add(`blk.${layer}.attn_norm`, 1, width);
    add(`blk.${layer}.attn_q`, queryWidth, width);
    add(`blk.${layer}.attn_k`, keyWidth, width);
    add(`blk.${layer}.attn_v`, keyWidth, width);
    add(`blk.${layer}.attn_output`, width, queryWidth);
    add(`blk.${layer}.ffn_norm`, 1, width);
    add(`blk.${layer}.ffn_gate`, hidden, width);
    add(`blk.${layer}.ffn_up`, hidden, width);
    add(`blk.${layer}.ffn_down`, width, hidden);
  }
  add('output_norm', 1, width);
  return spans;
}

/** Number of parameters. */
export function countParameters(shape: Shape): number {
  return listSpans(shape).reduce((sum, span) => sum + span.rows * span.columns, 0);
}
