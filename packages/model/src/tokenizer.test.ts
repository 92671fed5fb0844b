import { readFileSync } from 'node:fs';
import { bytesSource, type GgufValue, readGguf } from '@assay/engine';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashTokenizer } from './identity.js';
import { TEXT_LENGTH_MAX } from './limits.js';
import { openTokenizerOnly } from './model-file.js';
import { tinyModelFile } from './testing/tiny-model.js';
import {
  type ToyVocabulary,
  toyByteLevelVocabulary,
  toySentencePieceVocabulary,
} from './testing/toy-vocabulary.js';
import { createTokenizer, type Tokenizer } from './tokenizer.js';
import { ENTRY_TYPE } from './vocabulary.js';

type Vectors = {
  readonly source: string;
  readonly texts: readonly string[];
  readonly tokenizers: Readonly<
    Record<
      string,
      {
        readonly tokenizerHash: string;
        readonly plain: readonly number[][];
        readonly special: readonly number[][];
      }
    >
  >;
};

const vectors: Vectors = JSON.parse(
  readFileSync(new URL('../../../vectors/tokenizer.json', import.meta.url), 'utf8'),
);

const vocabularyOf = (name: string): ToyVocabulary =>
  name === 'sentencepiece' ? toySentencePieceVocabulary() : toyByteLevelVocabulary(name);

const open = (
  vocabulary?: ToyVocabulary,
  metadata?: ReadonlyMap<string, GgufValue | undefined>,
): Tokenizer => {
  const bytes = tinyModelFile({
    ...(vocabulary === undefined ? {} : { vocabulary }),
    ...(metadata === undefined ? {} : { metadata }),
  });
  return createTokenizer(readGguf(bytesSource(bytes)).metadata);
};

const tokenizers = new Map(Object.keys(vectors.tokenizers).map((n) => [n, open(vocabularyOf(n))]));
const KINDS = [...tokenizers.keys()];

/** Text of everything: words, spaces, controls, other scripts, pieces of control entries, lone surrogates. */
const anyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 6 }),
      fc.string({ unit: 'grapheme', maxLength: 6 }),
      fc.constantFrom(
        'the verifier',
        ' answers',
        '<|im_end|>',
        '<|',
        'im_end',
        '|>',
        '<tool>',
        '\n',
      ),
      fc.constantFrom('\ud800', '\udc00', '\ufdd0257\ufdd1', '</s>', '<s>', '<0x0A>', '▁'),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''));

const isControl = (tokenizer: Tokenizer) => (id: number) =>
  tokenizer.vocabulary.types[id] === ENTRY_TYPE.control;

describe.each(KINDS)('tokenizer %s', (name) => {
  const tokenizer = tokenizers.get(name)!;
  const expected = vectors.tokenizers[name]!;

  it('is the one that the vectors were made with', () => {
    expect(hashTokenizer(tokenizer.vocabulary)).toBe(expected.tokenizerHash);
  });

  it('gives the ids of llama.cpp', () => {
    vectors.texts.forEach((text, index) => {
      expect(tokenizer.encode(text), text).toEqual(expected.plain[index]);
      expect(tokenizer.encode(text, { special: true }), text).toEqual(expected.special[index]);
    });
  });

  it('decodes to the text that was encoded', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const wellFormed = text.replace(/\p{Surrogate}/gu, '\ufffd');
        if (name !== 'sentencepiece') {
          expect(tokenizer.decode(tokenizer.encode(text))).toBe(wellFormed);
          return;
        }
        // U+2581 is how SentencePiece writes a space, and it adds one after an entry found whole in the text.
        const plain = wellFormed.replaceAll('<tool>', '');
        const back = plain.replaceAll('▁', ' ');
        expect(tokenizer.decode(tokenizer.encode(plain))).toBe(back);
      }),
      { seed: 5, numRuns: 300 },
    );
  });

  it('never makes a control id from plain text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(tokenizer.encode(text).some(isControl(tokenizer))).toBe(false);
      }),
      { seed: 6, numRuns: 300 },
    );
  });
});

describe('decodeStream', () => {
  const tokenizer = tokenizers.get('gpt-2')!;

  it('never shows half a character and ends with the text of decode', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 20 }), (text) => {
        const stream = tokenizer.decodeStream();
        const shown = tokenizer.encode(text).map((id) => stream.push(id));
        expect(shown.join('')).not.toContain('\ufffd');
        expect(shown.join('') + stream.end()).toBe(text);
      }),
      { seed: 7 },
    );
  });

  it('survives any ids, and pushing gives what decoding gives', () => {
    const ids = fc.array(fc.nat(tokenizer.vocabularySize - 1), { maxLength: 40 });
    fc.assert(
      fc.property(ids, (sampled) => {
        const stream = tokenizer.decodeStream();
        const text = sampled.map((id) => stream.push(id)).join('') + stream.end();
        expect(text).toBe(tokenizer.decode(sampled));
      }),
      { seed: 8 },
    );
  });

  it('holds bytes of an emoji back until it is whole', () => {
    const stream = tokenizer.decodeStream();
    const ids = [0xf0, 0x9f, 0x99, 0x82].map((byte) =>
      tokenizer.vocabulary.entries.findIndex((_, id) => {
        const bytes = tokenizer.tokenBytes(id);
        return bytes.length === 1 && bytes[0] === byte;
      }),
    );
    expect(ids.map((id) => stream.push(id))).toEqual(['', '', '', '🙂']);
    expect(stream.end()).toBe('');
  });

  it('shows control ids only when asked', () => {
    const ids = tokenizer.encode('a<|im_end|>b', { special: true });
    expect(tokenizer.decode(ids)).toBe('ab');
    expect(tokenizer.decode(ids, { special: true })).toBe('a<|im_end|>b');
  });
});

describe('createTokenizer', () => {
  const refusedWith = (
    code: string,
    change: Readonly<Record<string, GgufValue | undefined>>,
    vocabulary?: ToyVocabulary,
  ) =>
    expect(() => open(vocabulary, new Map(Object.entries(change)))).toThrow(
      expect.objectContaining({ name: 'AssayError', code }),
    );
  const texts = (value: readonly string[]): GgufValue => ({
    type: 'array',
    element: 'string',
    value,
  });
  const entries = toyByteLevelVocabulary('gpt-2').entries;

  it('knows the ids that end an answer, named by the file or by their family', () => {
    const { vocabulary, eosIds } = tokenizers.get('gpt-2')!;
    expect(eosIds.map((id) => vocabulary.entries[id])).toEqual(['<|endoftext|>', '<|im_end|>']);
  });

  it('treats the ids that end texts as control even where the file marks no types', () => {
    const tokenizer = open(undefined, new Map([['tokenizer.ggml.token_type', undefined]]));
    expect(tokenizer.encode('<|im_end|>').some((id) => tokenizer.eosIds.includes(id))).toBe(false);
  });

  it('refuses tokenizers that it does not know', () => {
    refusedWith('tokenizer_unsupported', {
      'tokenizer.ggml.model': { type: 'string', value: 'bert' },
    });
    refusedWith('tokenizer_unsupported', {
      'tokenizer.ggml.pre': { type: 'string', value: 'new' },
    });
    refusedWith('tokenizer_unsupported', { 'tokenizer.ggml.pre': undefined });
    refusedWith('tokenizer_invalid', { 'tokenizer.ggml.model': undefined });
  });

  it('refuses vocabularies that would lose text or contradict themselves', () => {
    const key = 'tokenizer.ggml.';
    refusedWith('tokenizer_invalid', { [`${key}tokens`]: undefined });
    refusedWith('tokenizer_invalid', { [`${key}tokens`]: texts([]) });
    refusedWith('tokenizer_invalid', { [`${key}tokens`]: texts(['a', 'a']) });
    refusedWith('tokenizer_invalid', { [`${key}tokens`]: texts(entries.slice(1)) });
    refusedWith('tokenizer_invalid', { [`${key}merges`]: texts(['a']) });
    refusedWith('tokenizer_invalid', { [`${key}merges`]: texts(['a b c']) });
    refusedWith('tokenizer_invalid', { [`${key}merges`]: texts(['q z']) });
    refusedWith('tokenizer_invalid', {
      [`${key}bos_token_id`]: { type: 'uint32', value: 2 ** 31 },
    });
    const short: GgufValue = { type: 'array', element: 'int32', value: Int32Array.of(1) };
    refusedWith('tokenizer_invalid', { [`${key}token_type`]: short });
    refusedWith('tokenizer_invalid', { [`${key}scores`]: undefined }, toySentencePieceVocabulary());
    const { scores, ...rest } = toySentencePieceVocabulary();
    refusedWith('tokenizer_invalid', {}, { ...rest, scores: scores.with(300, Number.NaN) });
    refusedWith(
      'gguf_bad_metadata'.replace('gguf_bad_metadata', 'tokenizer_invalid'),
      {},
      {
        ...rest,
        scores,
        types: rest.types.with(5, ENTRY_TYPE.normal),
      },
    );
  });

  it('keeps entries with names of JavaScript built-ins apart', () => {
    const vocabulary = toyByteLevelVocabulary('gpt-2');
    const names = ['__proto__', 'constructor', 'toString'];
    const tokenizer = open({
      ...vocabulary,
      entries: [...vocabulary.entries, ...names],
      types: [...vocabulary.types, ...names.map(() => ENTRY_TYPE.userDefined)],
    });
    for (const name of names) {
      expect(tokenizer.encode(name)).toEqual([tokenizer.vocabulary.entries.indexOf(name)]);
    }
  });
});

describe('limits', () => {
  const tokenizer = tokenizers.get('gpt-2')!;

  it('refuses texts that cannot fit before any work', () => {
    expect(() => tokenizer.encode('a'.repeat(TEXT_LENGTH_MAX + 1))).toThrow(
      expect.objectContaining({ code: 'text_too_long' }),
    );
    const { tokenizer: small, contextLength } = openTokenizerOnly(tinyModelFile());
    const longest = '<|endoftext|>'.length;
    expect(() => small.encode('a'.repeat(longest * contextLength + 1))).toThrow(
      expect.objectContaining({ code: 'text_too_long' }),
    );
    expect(small.encode('a'.repeat(contextLength)).length).toBe(contextLength);
  });

  it('takes one endless word in bounded time', () => {
    const text = ' '.repeat(2 ** 17);
    const started = performance.now();
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it('refuses ids outside the vocabulary', () => {
    for (const id of [-1, 0.5, Number.NaN, tokenizer.vocabularySize]) {
      expect(() => tokenizer.decode([id])).toThrow(
        expect.objectContaining({ code: 'token_id_unknown' }),
      );
    }
  });
});
