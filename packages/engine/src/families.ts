/**
 * The architectures that one graph builder computes, as data: Llama and what differs from it. A family is a row of
 * facts that model files never state in numbers; whatever a file does state (sizes, rotary scaling, a window) is in
 * `ModelConfig`. A new relative is a new row, or a new op and a new column.
 */

export type Family = {
  /** `general.architecture` of a GGUF file. */
  readonly gguf: string;
  /** First entry of `architectures`, and `model_type`, in a folder's config.json. */
  readonly folder: string;
  readonly folderType: string;
  /**
   * Where the two halves of a rotary pair stand in a GGUF file: side by side, as in this engine, or half a head apart
   * (the order of all folders, named after GPT-NeoX), which is permuted at import.
   */
  readonly ggufPairs: 'adjacent' | 'halves';
  /** Query, key and value projections have biases. */
  readonly attentionBias: boolean;
  /** Queries and keys are normalised per head before they are rotated. */
  readonly headNorm: boolean;
  /** Every layer whose number from 1 is a multiple of this has no rotary positions; 0 if all have them. */
  readonly unrotatedEvery: number;
  /** What config.json leaves unsaid. */
  readonly tiedByDefault: boolean;
  readonly ropeBaseDefault: number;
  /** When `sliding_window` of config.json counts: never, whenever it is a number, or with `use_sliding_window`. */
  readonly window: 'never' | 'stated' | 'flagged';
};

const LLAMA: Family = {
  gguf: 'llama',
  folder: 'LlamaForCausalLM',
  folderType: 'llama',
  ggufPairs: 'adjacent',
  attentionBias: false,
  headNorm: false,
  unrotatedEvery: 0,
  tiedByDefault: false,
  ropeBaseDefault: 10_000,
  window: 'never',
};

export const FAMILIES = {
  /** Llama 1 to 3, SmolLM, SmolLM2, and every model that was built like them. */
  llama: LLAMA,
  mistral: {
    ...LLAMA,
    folder: 'MistralForCausalLM',
    folderType: 'mistral',
    window: 'stated',
  },
  qwen2: {
    ...LLAMA,
    gguf: 'qwen2',
    folder: 'Qwen2ForCausalLM',
    folderType: 'qwen2',
    ggufPairs: 'halves',
    attentionBias: true,
    window: 'flagged',
  },
  qwen3: {
    ...LLAMA,
    gguf: 'qwen3',
    folder: 'Qwen3ForCausalLM',
    folderType: 'qwen3',
    ggufPairs: 'halves',
    headNorm: true,
    window: 'flagged',
  },
  smollm3: {
    ...LLAMA,
    gguf: 'smollm3',
    folder: 'SmolLM3ForCausalLM',
    folderType: 'smollm3',
    unrotatedEvery: 4,
    tiedByDefault: true,
    ropeBaseDefault: 2_000_000,
    window: 'flagged',
  },
} as const satisfies Readonly<Record<string, Family>>;

export type FamilyName = keyof typeof FAMILIES;

/** The row of a family, without the literal types of the table. */
export const familyOf = (name: FamilyName | undefined): Family => FAMILIES[name ?? 'llama'];

/** The first family whose `key` has this value. */
export function findFamily(
  key: 'gguf' | 'folder' | 'folderType',
  value: string,
): FamilyName | undefined {
  const names = Object.keys(FAMILIES) as FamilyName[];
  return names.find((name) => familyOf(name)[key] === value);
}

/** All values of a column, each once, for messages. */
export const familyColumn = (key: 'gguf' | 'folder'): readonly string[] => [
  ...new Set(Object.values(FAMILIES).map((family) => family[key])),
];

/** Whether layer `layer`, from 0, turns its queries and keys. */
export const layerRotates = ({ unrotatedEvery }: Family, layer: number): boolean =>
  unrotatedEvery === 0 || (layer + 1) % unrotatedEvery !== 0;
