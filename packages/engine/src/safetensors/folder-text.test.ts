import { describe, expect, it } from 'vitest';
import { bytesSource } from '../gguf/source.js';
import { readFolderText } from './folder-text.js';
import type { SafetensorsErrorCode } from './safetensors-error.js';

const LLAMA_WORDS =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const split = (Regex: string, change = {}) => ({
  type: 'Sequence',
  pretokenizers: [
    { type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false, ...change },
    { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
  ],
});
const words = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
const digits = { type: 'Digits', individual_digits: true };

const MODEL = {
  type: 'BPE',
  dropout: null,
  unk_token: null,
  byte_fallback: false,
  ignore_merges: false,
  vocab: { a: 0, b: 1, ab: 2 },
  merges: ['a b'],
};

const TOKENIZER = {
  truncation: null,
  padding: null,
  added_tokens: [
    { id: 3, content: '<s>', special: true, lstrip: false, rstrip: false, single_word: false },
    { id: 5, content: '  ', special: false },
  ],
  normalizer: null,
  pre_tokenizer: words as unknown,
  post_processor: { type: 'ByteLevel' } as unknown,
  model: MODEL as unknown,
};

type Change = { readonly tokenizer?: unknown; readonly names?: unknown; readonly config?: unknown };

function read({ tokenizer = TOKENIZER, names = {}, config = { vocab_size: 6 } }: Change = {}) {
  const files = new Map(
    Object.entries({
      'tokenizer.json': tokenizer,
      'tokenizer_config.json': names,
      'config.json': config,
    })
      .filter(([, content]) => content !== null)
      .map(([name, content]) => [name, new TextEncoder().encode(JSON.stringify(content))]),
  );
  return readFolderText({
    open(name) {
      const bytes = files.get(name);
      return bytes && bytesSource(bytes);
    },
  });
}

const value = (key: string, change: Change = {}) => read(change).get(`tokenizer.${key}`)?.value;
const refused = (change: Change, code: SafetensorsErrorCode) =>
  expect(() => read(change)).toThrow(expect.objectContaining({ code }));
const withTokenizer = (change: object): Change => ({ tokenizer: { ...TOKENIZER, ...change } });
const withModel = (change: object) => withTokenizer({ model: { ...MODEL, ...change } });

describe('readFolderText', () => {
  it('says nothing about a folder without a tokenizer', () => {
    expect(read({ tokenizer: null }).size).toBe(0);
  });

  it('places entries, kinds and names for ids without an entry', () => {
    expect(value('ggml.model')).toBe('gpt2');
    expect(value('ggml.tokens')).toEqual(['a', 'b', 'ab', '<s>', '[PAD4]', '  ']);
    expect([...(value('ggml.token_type') as Int32Array)]).toEqual([1, 1, 1, 3, 5, 4]);
    expect(value('ggml.merges')).toEqual(['a b']);
    expect(value('ggml.merges', withModel({ merges: [['a', 'b']] }))).toEqual(['a b']);
  });

  it('knows the rules for words by their steps', () => {
    const rule = (pre_tokenizer: unknown, ignore_merges = false) =>
      value('ggml.pre', withTokenizer({ pre_tokenizer, model: { ...MODEL, ignore_merges } }));
    expect(rule(words)).toBe('gpt-2');
    expect(rule({ type: 'Sequence', pretokenizers: [digits, words] })).toBe('smollm');
    expect(rule(split(LLAMA_WORDS), true)).toBe('llama-bpe');
    expect(rule(split(LLAMA_WORDS))).toBe('smaug-bpe');
    expect(rule(split(LLAMA_WORDS.replace('{1,3}', '')))).toBe('qwen2');
  });

  it('takes NFC as given where the files of other programs do, and nowhere else', () => {
    const qwen = split(LLAMA_WORDS.replace('{1,3}', ''));
    const normalizer = { type: 'NFC' };
    expect(value('ggml.pre', withTokenizer({ pre_tokenizer: qwen, normalizer }))).toBe('qwen2');
    for (const change of [
      { pre_tokenizer: qwen, normalizer: { type: 'NFKC' } },
      { pre_tokenizer: split(LLAMA_WORDS), normalizer },
    ]) {
      refused(withTokenizer(change), 'safetensors_unsupported_tokenizer');
    }
  });

  it('reads special tokens, template and whether text begins with a token', () => {
    const names = { bos_token: { content: '<s>' }, eos_token: 'ab', chat_template: '{{ x }}' };
    expect(value('ggml.bos_token_id', { names })).toBe(3);
    expect(value('ggml.eos_token_id', { names })).toBe(2);
    expect(value('chat_template', { names })).toBe('{{ x }}');
    expect(value('ggml.add_bos_token', { names })).toBe(false);
    expect(value('ggml.add_bos_token', { names: { ...names, add_bos_token: true } })).toBe(true);
    const single = [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A' } }];
    const template = { type: 'TemplateProcessing', single };
    const post_processor = { type: 'Sequence', processors: [{ type: 'ByteLevel' }, template] };
    const begins = { names, ...withTokenizer({ post_processor }) };
    expect(value('ggml.add_bos_token', begins)).toBe(true);
    const ends = withTokenizer({ post_processor: { ...template, single: single.toReversed() } });
    refused({ names, ...ends }, 'safetensors_unsupported_tokenizer');
  });

  it('refuses what could cut a text differently', () => {
    for (const change of [
      withModel({ type: 'WordPiece' }),
      withModel({ byte_fallback: true }),
      withModel({ dropout: 0.1 }),
      withModel({ ignore_merges: true }),
      withTokenizer({ pre_tokenizer: split(LLAMA_WORDS), model: { ...MODEL, type: 'WordPiece' } }),
      withTokenizer({ normalizer: { type: 'NFC' } }),
      withTokenizer({ pre_tokenizer: null }),
      withTokenizer({ pre_tokenizer: { ...words, add_prefix_space: true } }),
      withTokenizer({ pre_tokenizer: split('\\w+') }),
      withTokenizer({ pre_tokenizer: split(LLAMA_WORDS, { behavior: 'Removed' }) }),
      withTokenizer({ added_tokens: [{ id: 3, content: '<s>', lstrip: true }] }),
      { names: { chat_template: [{ name: 'default', template: '' }] } },
    ]) {
      refused(change, 'safetensors_unsupported_tokenizer');
    }
  });

  it('refuses what contradicts itself', () => {
    for (const change of [
      { tokenizer: {} },
      withModel({ vocab: [] }),
      withModel({ vocab: { a: 0, b: 0 } }),
      withModel({ vocab: { a: 6 } }),
      withModel({ vocab: { a: '0' } }),
      withModel({ merges: ['ab'] }),
      withModel({ merges: [['a']] }),
      withModel({ merges: undefined }),
      withTokenizer({ added_tokens: [{ id: 3 }] }),
      { config: { vocab_size: 2 ** 40 } },
      { config: {} },
    ]) {
      refused(change, 'safetensors_bad_tokenizer');
    }
  });
});
