import { readFileSync } from 'node:fs';
import { bytesSource, readFolderText } from '@assay/engine';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTokenizer, type Tokenizer } from './tokenizer.js';
import { readVocabulary } from './vocabulary.js';

type Variant = {
  readonly normalizer: unknown;
  readonly pre_tokenizer: unknown;
  readonly plain: readonly number[][];
  readonly special: readonly number[][];
};

type Json = Readonly<Record<string, unknown>>;

type Vectors = {
  readonly tokenizer: Json & {
    readonly model: Json & {
      readonly vocab: Readonly<Record<string, number>>;
      readonly merges: readonly (readonly [string, string])[];
    };
  };
  readonly texts: readonly string[];
  readonly variants: Readonly<Record<string, Variant>>;
  readonly scores: readonly number[];
  readonly sentencePiece: readonly (readonly number[] | null)[];
};

const vectors: Vectors = JSON.parse(
  readFileSync(new URL('../../../vectors/folder-tokenizer.json', import.meta.url), 'utf8'),
);
const { texts, tokenizer: json } = vectors;
const pieceCount = Object.keys(json.model.vocab).length;
const names = { bos_token: '<s>', eos_token: { content: '</s>' } };

/** What a folder with this tokenizer says. */
function metadataOf(tokenizer: object) {
  const files = new Map(
    Object.entries({
      'tokenizer.json': tokenizer,
      'tokenizer_config.json': names,
      'config.json': { vocab_size: pieceCount },
    }).map(([name, content]) => [name, new TextEncoder().encode(JSON.stringify(content))]),
  );
  return readFolderText({
    open(name) {
      const bytes = files.get(name);
      return bytes && bytesSource(bytes);
    },
  });
}

const variant = (name: string, model: object = json.model) => {
  const { normalizer, pre_tokenizer } = vectors.variants[name]!;
  return { ...json, normalizer, pre_tokenizer, model };
};

const open = (name: string): Tokenizer => createTokenizer(metadataOf(variant(name)));

describe.each(Object.entries(vectors.variants))(
  'a folder whose spaces are %s',
  (name, expected) => {
    const tokenizer = open(name);

    it('gives the ids of the published library', () => {
      texts.forEach((text, index) => {
        expect(tokenizer.encode(text), text).toEqual(expected.plain[index]);
      });
    });

    it('gives them with control entries, too', () => {
      texts.forEach((text, index) => {
        // The unknown entry is never cut out of a text, as in GGUF files.
        if (text.includes('<unk>')) return;
        expect(tokenizer.encode(text, { special: true }), text).toEqual(expected.special[index]);
      });
    });

    it('decodes to the text that was encoded, but for spaces at its ends that the rule takes', () => {
      fc.assert(
        fc.property(fc.string({ unit: 'grapheme', maxLength: 20 }), (text) => {
          const spaced = text.replaceAll('▁', ' ');
          const lost = name.startsWith('metaspace') && spaced.startsWith(' ') ? 1 : 0;
          const wanted = name === 'metaspace never' ? spaced : spaced.slice(lost);
          expect(tokenizer.decode(tokenizer.encode(text))).toBe(wanted);
        }),
        { seed: 9, numRuns: 300 },
      );
    });
  },
);

describe('pieces of a folder', () => {
  const cutAsSentencePiece = (tokenizer: Tokenizer) =>
    texts.forEach((text, index) => {
      const wanted = vectors.sentencePiece[index];
      if (wanted) expect(tokenizer.encode(text), text).toEqual(wanted);
    });

  it('have the scores of the model that they were converted from', () => {
    const { scores, kind, unknownId, bosId, eosId, addsBos } = readVocabulary(
      metadataOf(variant('prepended')),
    );
    expect({ kind, unknownId, bosId, eosId, addsBos }).toEqual({
      kind: 'llama',
      unknownId: 0,
      bosId: 1,
      eosId: 2,
      addsBos: true,
    });
    expect([...scores]).toEqual(vectors.scores);
  });

  it('are cut as SentencePiece cuts them', () => {
    cutAsSentencePiece(open('prepended'));
  });

  it('are so from lists of older converters, which left out the merges of the first', () => {
    const [first] = json.model.merges;
    const merges = json.model.merges.filter((pair) => pair.join('') !== first!.join(''));
    expect(merges.length).toBeLessThan(json.model.merges.length);
    cutAsSentencePiece(
      createTokenizer(metadataOf(variant('prepended', { ...json.model, merges }))),
    );
  });
});
