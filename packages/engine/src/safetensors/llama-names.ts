/**
 * Two conventions for the tensors of a Llama-family model: safetensors folders as Hugging Face transformers names them,
 * and GGUF. They differ in names and in the order of query and key rows. A rotary pair (x, y) of a head of size n lies
 * in rows i and i + n/2 of a folder, in rows 2i and 2i + 1 of a GGUF file and of this engine.
 */
import type { ModelConfig } from '../model-config.js';

const LAYER_NAMES: readonly (readonly [gguf: string, folder: string])[] = [
  ['attn_norm', 'input_layernorm'],
  ['attn_q', 'self_attn.q_proj'],
  ['attn_k', 'self_attn.k_proj'],
  ['attn_v', 'self_attn.v_proj'],
  ['attn_output', 'self_attn.o_proj'],
  ['ffn_norm', 'post_attention_layernorm'],
  ['ffn_gate', 'mlp.gate_proj'],
  ['ffn_up', 'mlp.up_proj'],
  ['ffn_down', 'mlp.down_proj'],
];

const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ['token_embd.weight', 'model.embed_tokens.weight'],
  ['output_norm.weight', 'model.norm.weight'],
  ['output.weight', 'lm_head.weight'],
]);

const FOLDER_BY_GGUF = new Map(LAYER_NAMES);

/** Name in a folder of the tensor that GGUF calls `name`; undefined for one that folders do not have. */
export function folderName(name: string): string | undefined {
  const layer = /^blk\.(\d+)\.(\w+)\.weight$/.exec(name);
  if (layer === null) return OTHER_NAMES.get(name);
  const inner = FOLDER_BY_GGUF.get(layer[2]!);
  return inner && `model.layers.${layer[1]}.${inner}.weight`;
}

/** Heads whose rows are in rotary order in the tensor that GGUF calls `name`; 0 if there are none. */
export function rotaryHeads(name: string, config: ModelConfig): number {
  if (name.endsWith('.attn_q.weight')) return config.headCount;
  return name.endsWith('.attn_k.weight') ? config.kvHeadCount : 0;
}

type RowOrder = { readonly headCount: number; readonly headSize: number; readonly cols: number };

/** Rows from the order of a folder to that of GGUF. */
export const toAdjacentPairs = (values: Float32Array, order: RowOrder): Float32Array =>
  moveRows(values, order, (half, pair) => 2 * pair + half);

/** Rows from the order of GGUF to that of a folder. */
export function toHalves(values: Float32Array, order: RowOrder): Float32Array {
  const pairs = order.headSize / 2;
  // Row r = 2i + j of a head goes to i + j * pairs: the same walk with the roles of the factors exchanged.
  return moveRows(values, order, (half, pair) => {
    const row = half * pairs + pair;
    return (row >> 1) + (row & 1) * pairs;
  });
}

/** Moves row `half * headSize / 2 + pair` of each head to the row that `target` names. */
function moveRows(
  values: Float32Array,
  { headCount, headSize, cols }: RowOrder,
  target: (half: number, pair: number) => number,
): Float32Array {
  const moved = new Float32Array(values.length);
  const pairs = headSize / 2;
  for (let head = 0; head < headCount; head++) {
    for (let row = 0; row < headSize; row++) {
      const from = (head * headSize + row) * cols;
      const to = (head * headSize + target(Math.floor(row / pairs), row % pairs)) * cols;
      moved.set(values.subarray(from, from + cols), to);
    }
  }
  return moved;
}
