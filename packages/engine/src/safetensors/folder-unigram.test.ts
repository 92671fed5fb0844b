import { describe, expect, it } from 'vitest';
import { bytesSource } from '../gguf/source.js';
import { readFolderText } from './folder-text.js';
import type { SafetensorsErrorCode } from './safetensors-error.js';

const BYTES = Array.from(
  { length: 256 },
  (_, byte) => [`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`, 0] as const,
);
const PIECES = [
  ['▁', -2],
  ['▁ab', -3.5],
  ['a', -4],
  ['b', -4],
] as const;

const added = (id: number, content: string, change = {}) => ({
  id,
  content,
  special: true,
  ...change,
});
const metaspace = (prepend_scheme: string, split = true) => ({
  type: 'Metaspace',
  replacement: '▁',
  prepend_scheme,
  split,
});
const sequence = (...normalizers: readonly object[]) => ({ type: 'Sequence', normalizers });
const charsmap = {
  type: 'Precompiled',
  precompiled_charsmap: btoa('\x04\x00\x00\x00\x00\x00\x00\x00'),
};
const stripEnd = { type: 'Strip', strip_left: false, strip_right: true };
const merge = { type: 'Replace', pattern: { Regex: ' {2,}' }, content: '▁' };
const replace = { type: 'Replace', pattern: { String: ' ' }, content: '▁' };
const words = {
  type: 'Sequence',
  pretokenizers: [{ type: 'WhitespaceSplit' }, metaspace('always')],
};

const wholeWords = {
  type: 'Sequence',
  pretokenizers: [{ type: 'WhitespaceSplit' }, metaspace('always', false)],
};

type Change = {
  readonly pieces?: readonly unknown[];
  readonly model?: object;
  readonly rest?: object;
  readonly size?: number;
};

function read({ pieces = PIECES, model = {}, rest = {}, size }: Change = {}) {
  const vocab = [['<unk>', 0], ['<s>', 0], ['</s>', 0], ...pieces];
  const tokenizer = {
    added_tokens: [added(0, '<unk>'), added(1, '<s>'), added(2, '</s>')],
    normalizer: null,
    pre_tokenizer: metaspace('always'),
    model: { type: 'Unigram', unk_id: 0, byte_fallback: false, vocab, ...model },
    ...rest,
  };
  const files = {
    'tokenizer.json': tokenizer,
    'config.json': { vocab_size: size ?? vocab.length },
  };
  return readFolderText({
    open(name) {
      const content = files[name as keyof typeof files];
      return content && bytesSource(new TextEncoder().encode(JSON.stringify(content)));
    },
  });
}

const value = (key: string, change?: Change) => read(change).get(`tokenizer.${key}`)?.value;
const refused = (change: Change, code: SafetensorsErrorCode) =>
  expect(() => read(change)).toThrow(expect.objectContaining({ code }));

describe('unigram pieces in readFolderText', () => {
  it('are a t5 vocabulary with scores and kinds of entry', () => {
    expect(value('ggml.model')).toBe('t5');
    expect(value('ggml.merges')).toBeUndefined();
    expect(value('ggml.unknown_token_id')).toBe(0);
    expect([...(value('ggml.scores') as Float32Array)]).toEqual([0, 0, 0, -2, -3.5, -4, -4]);
    expect([...(value('ggml.token_type') as Int32Array)]).toEqual([2, 3, 3, 1, 1, 1, 1]);
    expect(value('assay.scores')).toBeUndefined();
    expect(value('ggml.precompiled_charsmap')).toBeUndefined();
  });

  it('have bytes only where the folder falls back to them', () => {
    const pieces = [...BYTES, ...PIECES];
    const typeOf = (model: object) =>
      (value('ggml.token_type', { pieces, model }) as Int32Array)[3];
    expect(typeOf({ byte_fallback: true })).toBe(6);
    expect(typeOf({ byte_fallback: false })).toBe(1);
    const model = { byte_fallback: true, unk_id: null };
    expect(value('ggml.unknown_token_id', { pieces, model })).toBeUndefined();
  });

  it('keep scores that no float32 holds beside the rounded ones', () => {
    const change = { pieces: [...PIECES, ['c', -0.1]] };
    expect((value('ggml.scores', change) as Float32Array)[7]).toBe(Math.fround(-0.1));
    expect((value('assay.scores', change) as Float64Array)[7]).toBe(-0.1);
  });

  it('have a low score for ids without an entry, as other converters write it', () => {
    const change = {
      size: 9,
      rest: { added_tokens: [added(0, '<unk>'), added(7, '<tool>', { special: false })] },
    };
    expect([...(value('ggml.scores', change) as Float32Array)].slice(6)).toEqual([-4, 0, -10_000]);
    expect([...(value('ggml.token_type', change) as Int32Array)].slice(6)).toEqual([1, 4, 5]);
  });

  it('take spaces and characters as the steps say', () => {
    const rule = (normalizer: unknown, pre_tokenizer: unknown) => {
      const metadata = read({ rest: { normalizer, pre_tokenizer } });
      const get = (key: string) => metadata.get(`tokenizer.${key}`)?.value;
      const prefix = get('ggml.add_space_prefix') ? (get('assay.space_prefix') ?? 'each') : 'never';
      const spaces = get('ggml.remove_extra_whitespaces') ? get('assay.space_rule') : 'kept';
      return `${prefix}, ${spaces}`;
    };
    const begin = { type: 'Replace', pattern: { Regex: '(?<!\\n)^' }, content: '▁' };
    const any = { type: 'Replace', pattern: { Regex: ' ' }, content: '▁' };
    expect(rule(null, metaspace('always'))).toBe('missing, kept');
    expect(rule(null, metaspace('never', false))).toBe('never, kept');
    expect(rule(sequence(begin, any), null)).toBe('each, kept');
    expect(rule(charsmap, metaspace('first'))).toBe('first, kept');
    expect(rule(sequence(charsmap, merge), metaspace('always'))).toBe('missing, merged');
    expect(rule(sequence(charsmap, stripEnd, merge), metaspace('first'))).toBe('first, stripped');
    expect(rule(sequence(stripEnd, merge), metaspace('never'))).toBe('never, stripped');
    expect(rule(charsmap, words)).toBe('missing, words');
    expect([
      ...(value('ggml.precompiled_charsmap', { rest: { normalizer: charsmap } }) as Uint8Array),
    ]).toEqual([4, 0, 0, 0, 0, 0, 0, 0]);
  });

  it('are refused where they would be cut in another way', () => {
    const across = { pieces: [...PIECES, ['a▁b', -1]] };
    const normalized = added(7, 'x', { special: false, normalized: true });
    for (const change of [
      across,
      { ...across, rest: { pre_tokenizer: wholeWords } },
      { model: { vocab: [['<unk>', -50], ['<s>', 0], ['</s>', 0], ...PIECES] } },
      { rest: { normalizer: { type: 'NFKC' } } },
      { rest: { normalizer: { type: 'Lowercase' } } },
      { rest: { normalizer: sequence(merge, charsmap) } },
      { rest: { normalizer: { ...stripEnd, strip_left: true } } },
      { rest: { normalizer: charsmap, added_tokens: [normalized] }, size: 8 },
      { rest: { normalizer: charsmap, pre_tokenizer: null } },
      {
        rest: {
          pre_tokenizer: {
            ...words,
            pretokenizers: [{ type: 'WhitespaceSplit' }, metaspace('first')],
          },
        },
      },
      { rest: { pre_tokenizer: null, normalizer: null } },
      { rest: { pre_tokenizer: { type: 'ByteLevel' } } },
      { rest: { added_tokens: [added(1, '<s>', { lstrip: true })] } },
    ]) {
      refused(change, 'safetensors_unsupported_tokenizer');
    }
    const free = read({ ...across, rest: { normalizer: replace, pre_tokenizer: null } });
    expect(free.get('tokenizer.ggml.add_space_prefix')?.value).toBe(false);
  });

  it('are refused where they contradict themselves', () => {
    for (const change of [
      { model: { vocab: {} } },
      { model: { vocab: undefined } },
      { pieces: ['a'] },
      { pieces: [[1, 1]] },
      { pieces: [['\ud83d', 1]] },
      { pieces: [['a', null]] },
      { pieces: [['a', '1']] },
      { pieces: [['a', -1e300]] },
      { model: { unk_id: null } },
      { model: { unk_id: -1 } },
      { model: { unk_id: 7 } },
      { model: { unk_id: 0.5 } },
      { model: { byte_fallback: true } },
      { size: 3 },
      { rest: { normalizer: { ...charsmap, precompiled_charsmap: '?' } } },
    ]) {
      refused(change, 'safetensors_bad_tokenizer');
    }
  });
});
