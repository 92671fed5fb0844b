import { readFileSync } from 'node:fs';
import { type GgufValue, SPEC_ID } from '@assay/engine';
import { concat, fromHex, type Hex, keccak, toHex } from '@assay/protocol';
import { describe, expect, it } from 'vitest';
import { hashTokenizer, MODEL_TYPE, MODEL_TYPEHASH, type ModelParts, modelId } from './identity.js';
import { openModelFile, openTokenizerOnly } from './model-file.js';
import { TINY_TEMPLATE, tinyModelFile } from './testing/tiny-model.js';
import type { Vocabulary } from './vocabulary.js';

type Vectors = {
  readonly type: string;
  readonly typeHash: Hex;
  readonly cases: readonly { readonly model: ModelParts; readonly modelId: Hex }[];
};

const vectors: Vectors = JSON.parse(
  readFileSync(new URL('../../../vectors/model-id.json', import.meta.url), 'utf8'),
);

const utf8 = (text: string) => new TextEncoder().encode(text);

describe('modelId', () => {
  it('agrees with the vectors that the registry contract is held to', () => {
    expect(vectors.cases.length).toBeGreaterThan(0);
    expect([MODEL_TYPE, MODEL_TYPEHASH]).toEqual([vectors.type, vectors.typeHash]);
    for (const { model, modelId: expected } of vectors.cases) expect(modelId(model)).toBe(expected);
  });

  it('is keccak over the type hash and the seven words', () => {
    for (const { model, modelId: expected } of vectors.cases) {
      const words = [
        toHex(keccak(utf8(MODEL_TYPE))),
        model.weightsRoot,
        model.graphRoot,
        model.tablesRoot,
        model.tokenizerHash,
        model.templateHash,
        model.boundsHash,
        model.specId,
      ];
      expect(toHex(keccak(concat(words.map(fromHex))))).toBe(expected);
    }
  });
});

describe('modelIdentity', () => {
  const { identity } = openModelFile(tinyModelFile());
  const differing = (bytes: Uint8Array) => {
    const other = openModelFile(bytes).identity;
    const keys = Object.keys(identity) as (keyof typeof identity)[];
    return keys.filter((key) => identity[key] !== other[key]);
  };
  const changed = (key: string, value: GgufValue) =>
    tinyModelFile({ metadata: new Map([[key, value]]) });

  it('names the arithmetic and the template by hashes that anybody can recompute', () => {
    expect(identity.specId).toBe(SPEC_ID);
    expect(identity.templateHash).toBe(toHex(keccak(utf8(TINY_TEMPLATE))));
  });

  it('changes with every part, and only with that part', () => {
    expect(differing(tinyModelFile())).toEqual([]);
    expect(differing(tinyModelFile({ seed: 2 }))).toEqual(['weightsRoot', 'modelId']);
    expect(differing(changed('tokenizer.chat_template', { type: 'string', value: 'x' }))).toEqual([
      'templateHash',
      'modelId',
    ]);
    expect(
      differing(changed('tokenizer.ggml.eos_token_id', { type: 'uint32', value: 256 })),
    ).toEqual(['tokenizerHash', 'modelId']);
    expect(differing(changed('llama.context_length', { type: 'uint32', value: 256 }))).toEqual([
      'boundsHash',
      'modelId',
    ]);
    const epsilon: GgufValue = { type: 'float32', value: Math.fround(1e-6) };
    expect(differing(changed('llama.attention.layer_norm_rms_epsilon', epsilon))).toEqual([
      'graphRoot',
      'modelId',
    ]);
  });

  it('does not change with what binds nothing', () => {
    const name: GgufValue = { type: 'string', value: 'Another name' };
    expect(differing(changed('general.name', name))).toEqual([]);
  });
});

describe('hashTokenizer', () => {
  const { vocabulary } = openTokenizerOnly(tinyModelFile()).tokenizer;

  it('changes with every field', () => {
    const variants: readonly Partial<Vocabulary>[] = [
      {},
      { kind: 'llama' },
      { wordRule: 'qwen2' },
      { entries: vocabulary.entries.with(270, 'other') },
      // The same text, cut at another place.
      { entries: vocabulary.entries.with(0, 'ab').with(1, 'c') },
      { entries: vocabulary.entries.with(0, 'a').with(1, 'bc') },
      { types: vocabulary.types.with(0, 4) },
      { merges: vocabulary.merges.slice(1) },
      { merges: [...vocabulary.merges].reverse() },
      { scores: Float32Array.of(0) },
      { bosId: undefined },
      { bosId: 0 },
      { eosId: 0 },
      { unknownId: 0 },
      { endIds: [] },
      { addsBos: true },
      { spacePrefix: 'each' },
    ];
    const hashes = variants.map((change) => hashTokenizer({ ...vocabulary, ...change }));
    expect(new Set(hashes).size).toBe(variants.length);
  });

  it('changes with what only a unigram tokenizer has', () => {
    const unigram: Vocabulary = { ...vocabulary, kind: 't5', scores: Float32Array.of(1, 2) };
    const variants: readonly Partial<Vocabulary>[] = [
      {},
      { spaceRule: 'trimmed' },
      { spaceRule: 'words' },
      { charsmap: Uint8Array.of(1) },
      { charsmap: Uint8Array.of(1, 0) },
      { scores: Float64Array.of(1, 2) },
      { scores: Float64Array.of(1, 2 + 2 ** -40) },
    ];
    const hashes = variants.map((change) => hashTokenizer({ ...unigram, ...change }));
    expect(new Set(hashes).size).toBe(variants.length);
  });
});
