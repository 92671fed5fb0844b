/**
 * Two conventions for the names of a model's tensors: safetensors folders as Hugging Face transformers names them, and
 * GGUF, whose names this engine uses.
 */

const LAYER_NAMES: readonly (readonly [gguf: string, folder: string])[] = [
  ['attn_norm', 'input_layernorm'],
  ['attn_q', 'self_attn.q_proj'],
  ['attn_k', 'self_attn.k_proj'],
  ['attn_v', 'self_attn.v_proj'],
  ['attn_q_norm', 'self_attn.q_norm'],
  ['attn_k_norm', 'self_attn.k_norm'],
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
  const layer = /^blk\.(\d+)\.(\w+)\.(weight|bias)$/.exec(name);
  if (layer === null) return OTHER_NAMES.get(name);
  const inner = FOLDER_BY_GGUF.get(layer[2]!);
  return inner && `model.layers.${layer[1]}.${inner}.${layer[3]}`;
}
