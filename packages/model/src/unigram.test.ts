import { readFileSync } from 'node:fs';
import {
  bytesSource,
  type GgufMetadata,
  type GgufValue,
  readFolderText,
  readGguf,
  writeGguf,
} from '@assay/engine';
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashTokenizer } from './identity.js';
import { createTokenizer, type EncodeOptions, type Tokenizer } from './tokenizer.js';
import { ENTRY_TYPE } from './vocabulary.js';

type Ids = readonly number[];

type Model = {
  /** Base64. */
  readonly charsmap: string;
  readonly types: readonly number[];
  readonly tokenizer: {
    readonly model: { readonly vocab: readonly (readonly [string, number])[] };
  };
  readonly variants: Readonly<
    Record<
      string,
      {
        readonly normalizer: unknown;
        readonly pre_tokenizer: unknown;
        readonly ids: readonly (Ids | null)[];
      }
    >
  >;
  /** By whether there is a space in front and whether extra spaces are removed. */
  readonly sentencePiece: Readonly<Record<string, readonly (Ids | null)[]>>;
  readonly llama: Readonly<Record<string, readonly (Ids | null)[]>>;
};

const vectors: { readonly texts: readonly string[]; readonly models: Record<string, Model> } =
  JSON.parse(readFileSync(new URL('../../../vectors/unigram.json', import.meta.url), 'utf8'));
const { texts, models } = vectors;
const MODELS = Object.entries(models);

const bytesOf = (base64: string) => Uint8Array.from(Buffer.from(base64, 'base64'));

/** What a folder with a variant of the tokenizer says. */
function folderMetadata(model: Model, name: string): GgufMetadata {
  const { normalizer, pre_tokenizer } = model.variants[name]!;
  const json = JSON.stringify({ ...model.tokenizer, normalizer, pre_tokenizer });
  const files = new Map([
    ['tokenizer.json', json.replace('(charsmap)', model.charsmap)],
    ['tokenizer_config.json', JSON.stringify({ bos_token: '<s>', eos_token: '</s>' })],
    ['config.json', JSON.stringify({ vocab_size: model.tokenizer.model.vocab.length })],
  ]);
  return readFolderText({
    open(file) {
      const text = files.get(file);
      return text === undefined ? undefined : bytesSource(new TextEncoder().encode(text));
    },
  });
}

type Toy = {
  readonly pieces: readonly (readonly [string, number])[];
  /** Types of the pieces; normal unless stated. */
  readonly types?: readonly number[];
  readonly charsmap?: Uint8Array;
  readonly prefix?: boolean;
  readonly extra?: boolean;
  readonly more?: Readonly<Record<string, GgufValue | undefined>>;
};

/** Metadata of a GGUF file with an unknown entry, two control entries and the pieces after them. */
function toyMetadata({ pieces, types, charsmap, prefix, extra, more }: Toy): GgufMetadata {
  const all = [['<unk>', 0], ['<s>', 0], ['</s>', 0], ...pieces] as const;
  const kinds = [2, 3, 3, ...(types ?? pieces.map(() => ENTRY_TYPE.normal))];
  const values: Readonly<Record<string, GgufValue | undefined>> = {
    'ggml.model': { type: 'string', value: 't5' },
    'ggml.tokens': { type: 'array', element: 'string', value: all.map(([text]) => text) },
    'ggml.scores': {
      type: 'array',
      element: 'float32',
      value: Float32Array.from(all, ([, score]) => score),
    },
    'ggml.token_type': { type: 'array', element: 'int32', value: Int32Array.from(kinds) },
    'ggml.unknown_token_id': { type: 'uint32', value: 0 },
    'ggml.bos_token_id': { type: 'uint32', value: 1 },
    'ggml.eos_token_id': { type: 'uint32', value: 2 },
    'ggml.add_space_prefix': { type: 'bool', value: prefix ?? false },
    'ggml.remove_extra_whitespaces': { type: 'bool', value: extra ?? false },
    'ggml.precompiled_charsmap': charsmap && { type: 'array', element: 'uint8', value: charsmap },
    ...more,
  };
  const stated = Object.entries(values).filter(([, value]) => value !== undefined);
  return new Map(stated.map(([key, value]) => [`tokenizer.${key}`, value!]));
}

const open = (toy: Toy): Tokenizer => createTokenizer(toyMetadata(toy));

const entriesOf = (tokenizer: Tokenizer, text: string): readonly string[] =>
  tokenizer.encode(text).map((id) => tokenizer.vocabulary.entries[id]!);

/** The tokenizer of a model of the vectors as a GGUF file states it. */
const openModel = ({ tokenizer, types, charsmap }: Model, rule: string): Tokenizer => {
  const [prefix, extra] = rule.split(',').map((flag) => flag === 'true');
  return open({
    pieces: tokenizer.model.vocab.slice(3),
    types: types.slice(3),
    ...(charsmap === '' ? {} : { charsmap: bytesOf(charsmap) }),
    prefix: prefix!,
    extra: extra!,
  });
};

function expectIds(
  tokenizer: Tokenizer,
  wanted: readonly (Ids | null)[],
  options: EncodeOptions = {},
): void {
  expect(wanted.length).toBe(texts.length);
  expect(wanted.filter((ids) => ids !== null).length).toBeGreaterThan(40);
  texts.forEach((text, index) => {
    const ids = wanted[index];
    if (ids) expect(tokenizer.encode(text, options), text).toEqual(ids);
  });
}

describe.each(MODELS)('unigram pieces %s', (_, model) => {
  it.each(Object.entries(model.sentencePiece))(
    'are cut as SentencePiece cuts them: %s',
    (rule, ids) => {
      expectIds(openModel(model, rule), ids);
    },
  );

  it.each(Object.entries(model.llama))('are cut as llama.cpp cuts them: %s', (rule, ids) => {
    expectIds(openModel(model, rule), ids);
  });

  describe.each(Object.keys(model.variants))('in a folder whose spaces are %s', (name) => {
    const metadata = folderMetadata(model, name);

    it('are cut as the published library cuts them', () => {
      expectIds(createTokenizer(metadata), model.variants[name]!.ids, { special: true });
    });

    it('are the same in a GGUF file', () => {
      const file = readGguf(bytesSource(writeGguf({ metadata, tensors: [] })));
      const [before, after] = [createTokenizer(metadata), createTokenizer(file.metadata)];
      expect(hashTokenizer(after.vocabulary)).toBe(hashTokenizer(before.vocabulary));
      for (const text of texts) expect(after.encode(text)).toEqual(before.encode(text));
    });
  });
});

type Step = { readonly piece: string; readonly score: number };

/** All ways to cut a text into pieces, single unknown characters among them: the slow, plain reading of the rule. */
function allPaths(text: string, scores: ReadonlyMap<string, number>): Step[][] {
  if (text === '') return [[]];
  const unknown = Math.min(...scores.values()) - 10;
  const characters = Array.from(text);
  return characters.flatMap((_, index) => {
    const piece = characters.slice(0, index + 1).join('');
    if (index > 0 && !scores.has(piece)) return [];
    const step = { piece, score: scores.get(piece) ?? unknown };
    return allPaths(text.slice(piece.length), scores).map((rest) => [step, ...rest]);
  });
}

/** Best sum; among equal ones the longest last piece, then the longest before it, and so on. */
function bestOf(paths: Step[][]): Step[] {
  const sum = (path: Step[]) => path.reduce((total, { score }) => total + score, 0);
  const lengths = (path: Step[]) => path.map(({ piece }) => piece.length).reverse();
  return paths.sort((a, b) => {
    if (sum(a) !== sum(b)) return sum(b) - sum(a);
    const [left, right] = [lengths(a), lengths(b)];
    const at = left.findIndex((length, index) => length !== right[index]);
    return at < 0 ? 0 : right[at]! - left[at]!;
  })[0]!;
}

describe('createUnigram', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '🙂'), maxLength: 9 });
  // Eighths are exact in sums, and so few of them that equal sums are common.
  const score = fc.integer({ min: -16, max: 0 }).map((eighths) => eighths / 8);
  const pieces = fc
    .uniqueArray(
      fc.tuple(
        fc.string({ unit: fc.constantFrom('a', 'b', '🙂'), minLength: 1, maxLength: 4 }),
        score,
      ),
      { selector: ([piece]) => piece, minLength: 1, maxLength: 12 },
    )
    .map((list) => new Map(list));

  it('takes the best of all ways to cut a text, and of equal ones the one with the longest ends', () => {
    fc.assert(
      fc.property(pieces, text, (scores, sample) => {
        const tokenizer = open({ pieces: [...scores] });
        const best = bestOf(allPaths(sample, scores));
        const known = best.map(({ piece }) => (scores.has(piece) ? piece : '<unk>'));
        const fused = known.filter((piece, i) => piece !== '<unk>' || known[i - 1] !== '<unk>');
        expect(entriesOf(tokenizer, sample)).toEqual(fused);
      }),
      { seed: 31, numRuns: 1_000 },
    );
  });

  it('agrees with the library that cuts byte-level vocabularies', () => {
    const { vocab } = models.mapped!.tokenizer.model;
    const letters = vocab.filter(([piece], id) => id > 3 && piece.lastIndexOf('▁') <= 0);
    const tokenizer = open({ pieces: letters });
    const library = new LibraryTokenizer(
      {
        version: '1.0',
        added_tokens: [],
        normalizer: null,
        pre_tokenizer: null,
        post_processor: null,
        decoder: null,
        model: {
          type: 'Unigram',
          unk_id: 0,
          vocab: [['<unk>', 0], ['<s>', 0], ['</s>', 0], ...letters],
        },
      } as unknown as ConstructorParameters<typeof LibraryTokenizer>[0],
      {},
    );
    const words = fc.constantFrom(
      '▁the',
      '▁verifier',
      'answers',
      '▁',
      's',
      'e',
      'é',
      'привет',
      '你',
    );
    fc.assert(
      fc.property(fc.string({ unit: words, minLength: 1, maxLength: 12 }), (sample) => {
        const { ids } = library.encode(sample, { add_special_tokens: false });
        expect(tokenizer.encode(sample)).toEqual(ids);
      }),
      { seed: 32, numRuns: 500 },
    );
  });

  it('adds scores as doubles, also such as no float32 holds', () => {
    // As float32 both ways to cut "ab" cost 0.4; as doubles the two letters cost less.
    const pieces = [
      ['ab', -0.4],
      ['a', -0.2 + 1e-9],
      ['b', -0.2],
    ] as const;
    expect(entriesOf(open({ pieces }), 'ab')).toEqual(['ab']);
    const value = Float64Array.from([0, 0, 0, ...pieces.map(([, each]) => each)]);
    const more = { 'assay.scores': { type: 'array', element: 'float64', value } as const };
    expect(entriesOf(open({ pieces, more }), 'ab')).toEqual(['a', 'b']);
    const other = { ...more['assay.scores'], value: value.with(3, -0.5) };
    expect(() => open({ pieces, more: { 'assay.scores': other } })).toThrow(
      expect.objectContaining({ code: 'tokenizer_invalid' }),
    );
  });

  it('cuts nothing into control, unused or byte entries', () => {
    const { control, unused, byte, normal } = ENTRY_TYPE;
    const tokenizer = open({
      pieces: [
        ['ab', 0],
        ['abc', 0],
        ['<0x61>', 0],
        ['a', -5],
        ['b', -5],
      ],
      types: [control, unused, byte, normal, normal],
    });
    expect(entriesOf(tokenizer, 'abc')).toEqual(['a', 'b', '<unk>']);
    expect(entriesOf(tokenizer, '<0x61>')).toEqual(['<unk>']);
  });

  it('finds a user-defined entry also where only replaced characters make one', () => {
    const charsmap = bytesOf(models.mapped!.charsmap);
    const pieces = [
      ['AB', -100],
      ['A', -1],
      ['B', -1],
    ] as const;
    const types = [ENTRY_TYPE.userDefined, ENTRY_TYPE.normal, ENTRY_TYPE.normal];
    const tokenizer = open({ pieces, types, charsmap });
    expect(entriesOf(tokenizer, 'AB')).toEqual(['AB']);
    expect(entriesOf(tokenizer, 'ＡＢ')).toEqual(['AB']);
  });

  it('takes a long text of nothing but long pieces', () => {
    const pieces = Array.from({ length: 128 }, (_, i) => ['a'.repeat(i + 1), -1] as const);
    const ids = open({ pieces }).encode('a'.repeat(2 ** 16 + 1));
    expect(ids.length).toBe(2 ** 9 + 1);
    expect(new Set(ids).size).toBe(2);
  });

  it('refuses what it could not cut by', () => {
    const refused = (toy: Toy, code = 'tokenizer_invalid') =>
      expect(() => open(toy)).toThrow(expect.objectContaining({ name: 'AssayError', code }));
    const pieces = [['a', -1]] as const;
    const text = (value: string): GgufValue => ({ type: 'string', value });
    refused({ pieces: [['a', Number.NaN]] });
    refused({ pieces: [['a', Number.POSITIVE_INFINITY]] });
    refused({ pieces: [['a'.repeat(129), 0]] });
    refused({ pieces: [...pieces, ...pieces] });
    refused({ pieces, more: { 'ggml.scores': undefined } });
    refused({ pieces, more: { 'ggml.unknown_token_id': undefined } });
    refused({ pieces, more: { 'ggml.unknown_token_id': { type: 'uint32', value: 4 } } });
    refused({
      pieces,
      more: {
        'ggml.precompiled_charsmap': {
          type: 'array',
          element: 'float32',
          value: Float32Array.of(1),
        },
      },
    });
    const named = { extra: true, more: { 'assay.space_rule': text('new') } };
    refused({ pieces, ...named }, 'tokenizer_unsupported');
  });
});

describe('a unigram tokenizer', () => {
  const bytes = openModel(models.bytes!, 'true,false');

  it('decodes to the text that was encoded, if it has an entry for every byte', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 20 }), (sample) => {
        expect(bytes.decode(bytes.encode(sample))).toBe(sample.replaceAll('▁', ' '));
      }),
      { seed: 33, numRuns: 300 },
    );
  });

  it('shows no half of a character while it streams', () => {
    const stream = bytes.decodeStream();
    expect(bytes.encode('🙂').map((id) => stream.push(id))).toEqual([' ', '', '', '', '🙂']);
    stream.push(bytes.encode('🙂')[1]!);
    expect(stream.end()).toBe('\ufffd');
  });

  it('never makes a control id from plain text', () => {
    const isControl = (id: number) => bytes.vocabulary.types[id] === ENTRY_TYPE.control;
    const unit = fc.constantFrom('<s>', '</s>', '<', 's', '>', ' ', '<unk>', '<0x0A>');
    fc.assert(
      fc.property(fc.string({ unit }), (sample) => {
        expect(bytes.encode(sample).some(isControl)).toBe(false);
      }),
      { seed: 34 },
    );
    expect(bytes.encode('<s>', { special: true })).toEqual([1]);
  });
});
