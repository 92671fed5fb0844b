import { describe, expect, it } from 'vitest';
import { bytesSource } from '../gguf/source.js';
import { readFolderText } from './folder-text.js';
import type { SafetensorsErrorCode } from './safetensors-error.js';

const BYTES = Array.from(
  { length: 256 },
  (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
);
const FIRST = 3 + BYTES.length;

const added = (id: number, content: string, change = {}) => ({
  id,
  content,
  special: true,
  ...change,
});
const metaspace = (prepend_scheme: string, split = false) => ({
  type: 'Metaspace',
  replacement: '▁',
  prepend_scheme,
  split,
});
const replace = { type: 'Replace', pattern: { String: ' ' }, content: '▁' };
const prepended = {
  type: 'Sequence',
  normalizers: [{ type: 'Prepend', prepend: '▁' }, replace],
};

type Change = {
  readonly pieces?: readonly string[];
  readonly merges?: readonly string[];
  readonly model?: object;
  readonly rest?: object;
};

const PIECES = ['ab', 'abc', '▁', 'a', 'b', 'c'];
const MERGES = ['a b', 'ab c'];

function read({ pieces = PIECES, merges = MERGES, model = {}, rest = {} }: Change = {}) {
  const entries = ['<unk>', '<s>', '</s>', ...BYTES, ...pieces];
  const tokenizer = {
    added_tokens: [added(0, '<unk>'), added(1, '<s>'), added(2, '</s>')],
    normalizer: null,
    pre_tokenizer: metaspace('first'),
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      byte_fallback: true,
      vocab: Object.fromEntries(entries.map((entry, id) => [entry, id])),
      merges,
      ...model,
    },
    ...rest,
  };
  const files = { 'tokenizer.json': tokenizer, 'config.json': { vocab_size: entries.length } };
  return readFolderText({
    open(name) {
      const content = files[name as keyof typeof files];
      return content && bytesSource(new TextEncoder().encode(JSON.stringify(content)));
    },
  });
}

const value = (key: string, change?: Change) => read(change).get(`tokenizer.${key}`)?.value;
const scores = (change?: Change) =>
  [...(value('ggml.scores', change) as Float32Array)].slice(FIRST);
const refused = (change: Change, code: SafetensorsErrorCode) =>
  expect(() => read(change)).toThrow(expect.objectContaining({ code }));

describe('pieces in readFolderText', () => {
  it('are a llama vocabulary with kinds of entry, bytes among them', () => {
    expect(value('ggml.model')).toBe('llama');
    expect(value('ggml.merges')).toBeUndefined();
    expect(value('ggml.unknown_token_id')).toBe(0);
    const types = [...(value('ggml.token_type') as Int32Array)];
    expect([types.slice(0, 3), types[3], types[FIRST]]).toEqual([[2, 3, 3], 6, 1]);
  });

  it('have scores in their own order where that is the order of merges', () => {
    expect(scores()).toEqual([-0, -1, -2, -3, -4, -5]);
    expect(scores({ merges: ['ab c'] })).toEqual([-0, -1, -2, -3, -4, -5]);
  });

  it('have scores in the order of merges where another order was chosen', () => {
    const pieces = ['bc', 'ab', '▁', 'a', 'b', 'c'];
    expect(scores({ pieces, merges: ['a b', 'b c'] })).toEqual([-1, -0, -2, -3, -4, -5]);
  });

  it('take the first space as the steps say', () => {
    const rule = (normalizer: unknown, pre_tokenizer: unknown) => {
      const metadata = read({ rest: { normalizer, pre_tokenizer } });
      const adds = metadata.get('tokenizer.ggml.add_space_prefix')?.value;
      return adds ? (metadata.get('tokenizer.assay.space_prefix')?.value ?? 'each') : 'never';
    };
    const mergedWithPrevious = { type: 'Split', pattern: { String: ' ' }, invert: false };
    expect(rule(prepended, null)).toBe('each');
    expect(rule(replace, null)).toBe('never');
    expect(rule(replace, mergedWithPrevious)).toBe('never');
    expect(rule(null, metaspace('never'))).toBe('never');
    expect(rule(null, metaspace('always'))).toBe('missing');
    expect(rule(null, metaspace('always', true))).toBe('missing');
    expect(rule(null, metaspace('first'))).toBe('first');
    expect(rule(null, { type: 'Metaspace', replacement: '▁', add_prefix_space: true })).toBe(
      'missing',
    );
  });

  it('are refused where SentencePiece would cut in another way', () => {
    for (const change of [
      { pieces: ['ab', 'bc', 'abc', ...PIECES.slice(2)], merges: ['a b', 'b c', 'ab c'] },
      { pieces: ['ab', 'bc', 'abc', ...PIECES.slice(2)], merges: ['a b', 'ab c', 'b c', 'a bc'] },
      { merges: ['a b'] },
      { pieces: [...PIECES, 'xa'] },
      { model: { ignore_merges: true } },
      { model: { type: 'WordPiece' } },
      { rest: { normalizer: { type: 'NFKC' } } },
      { rest: { normalizer: prepended } },
      { rest: { pre_tokenizer: null } },
      { rest: { pre_tokenizer: { type: 'ByteLevel' } } },
      { rest: { pre_tokenizer: { ...metaspace('first'), replacement: '_' } } },
      {
        pieces: ['a▁', ...PIECES.slice(2)],
        merges: [],
        rest: { pre_tokenizer: metaspace('always', true) },
      },
      {
        rest: {
          normalizer: prepended,
          pre_tokenizer: null,
          added_tokens: [added(FIRST, 'ab', { special: false, normalized: true })],
        },
      },
    ]) {
      refused(change, 'safetensors_unsupported_tokenizer');
    }
  });

  it('are refused where they contradict themselves', () => {
    const long = 'a'.repeat(129);
    for (const change of [
      { merges: ['a b', 'ab c', 'b c'] },
      { merges: ['a b', 'a b', 'ab c'] },
      { merges: ['a b', 'ab x', 'ab c'] },
      { merges: ['<s> a'] },
      { merges: ['a b c'] },
      { pieces: ['ab', 'abc', long, ...PIECES.slice(2)] },
      { model: { vocab: { a: 0, b: 1, ab: 2 } } },
    ]) {
      refused(change, 'safetensors_bad_tokenizer');
    }
  });
});
