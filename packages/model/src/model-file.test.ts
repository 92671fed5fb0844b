import { readdirSync, readFileSync } from 'node:fs';
import { EngineError, type GgufValue, referenceBackend } from '@assay/engine';
import { AssayError } from '@assay/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openModelFile, openTokenizerOnly } from './model-file.js';
import { tinyModelFile } from './testing/tiny-model.js';
import { toyByteLevelVocabulary, toySentencePieceVocabulary } from './testing/toy-vocabulary.js';

const bytes = tinyModelFile();

/** Index of the largest, lowest on ties. */
const greedy = (logits: Int32Array) => logits.indexOf(Math.max(...logits));

describe('openModelFile', () => {
  const file = openModelFile(bytes);

  it('tells what the file is', () => {
    expect(file.info).toEqual({
      name: 'Tiny Random',
      architecture: 'llama',
      parameterCount: 80_384,
      contextLength: 512,
      fileHash: '0xcb7bafe530f0492328eec0d4ae9b538a4adc24be81b3eecf290c03b4a012641b',
      fileSize: bytes.length,
    });
  });

  it('opens a model that answers: conversation, ids, logits, ids, text', () => {
    const prompt = file.chat.renderChat([{ role: 'user', content: 'Hello world' }]);
    const session = referenceBackend.createSession(file.model);
    const stream = file.tokenizer.decodeStream();
    const ids: number[] = [];
    let text = '';
    for (let next = greedy(session.forward(prompt)); ids.length < 24; ) {
      ids.push(next);
      text += stream.push(next);
      next = greedy(session.forward([next]));
    }
    // Greedy ids of llama.cpp (node-llama-cpp 3.22.1) on the same file and prompt.
    const peer = [5, 67, 102, 102, 23, 263, 222, 79, 79, 45, 262, 256, 256, 5, 5, 256, 256, 256];
    expect(ids.slice(0, peer.length)).toEqual(peer);
    expect(text + stream.end()).toBe(file.tokenizer.decode(ids));
  });

  it('opens models with every supported vocabulary', () => {
    for (const vocabulary of [
      ...['gpt-2', 'smollm', 'qwen2', 'llama-bpe'].map(toyByteLevelVocabulary),
      toySentencePieceVocabulary(),
    ]) {
      const { tokenizer, model } = openModelFile(tinyModelFile({ vocabulary }));
      expect(tokenizer.vocabularySize).toBe(model.config.vocabularySize);
    }
  });

  it('gives the same bytes for a seed, and others for another', () => {
    expect(tinyModelFile({ seed: 1 })).toEqual(bytes);
    expect(tinyModelFile({ seed: 2 })).not.toEqual(bytes);
  });

  it('refuses a tokenizer of another size than the model', () => {
    const vocabulary = toyByteLevelVocabulary('gpt-2');
    const tokens: GgufValue = {
      type: 'array',
      element: 'string',
      value: [...vocabulary.entries, 'one more'],
    };
    const other = tinyModelFile({
      vocabulary,
      metadata: new Map([
        ['tokenizer.ggml.tokens', tokens],
        ['tokenizer.ggml.token_type', undefined],
      ]),
    });
    for (const open of [openModelFile, openTokenizerOnly]) {
      expect(() => open(other)).toThrow(
        expect.objectContaining({ code: 'model_file_inconsistent' }),
      );
    }
  });

  it('opens a file with a broken template, and says so when it is used', () => {
    const template: GgufValue = { type: 'string', value: '{% for' };
    const broken = openModelFile(
      tinyModelFile({ metadata: new Map([['tokenizer.chat_template', template]]) }),
    );
    expect(() => broken.chat.renderChat([{ role: 'user', content: 'a' }])).toThrow(
      expect.objectContaining({ code: 'chat_template_invalid' }),
    );
  });
});

describe('openTokenizerOnly', () => {
  it('gives the same ids without reading a weight', () => {
    const text = openTokenizerOnly(bytes);
    const messages = [{ role: 'user', content: 'Hello' }] as const;
    expect(text.chat.renderChat(messages)).toEqual(openModelFile(bytes).chat.renderChat(messages));
    // All weights unreadable: a whole model refuses, text does not care.
    const damaged = bytes.slice().fill(0xff, bytes.length - 40_000);
    expect(() => openModelFile(damaged)).toThrow(expect.objectContaining({ fault: 'user' }));
    expect(openTokenizerOnly(damaged).tokenizer.encode('Hello')).toEqual(
      text.tokenizer.encode('Hello'),
    );
  });
});

describe('damaged files', () => {
  const named = (damaged: Uint8Array) => {
    try {
      openModelFile(damaged);
    } catch (error) {
      expect(error instanceof EngineError || error instanceof AssayError, String(error)).toBe(true);
      expect(error).toMatchObject({ code: expect.stringMatching(/^[a-z0-9_]+$/) });
    }
  };

  it('are refused by name when cut anywhere', () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 33), (length) => {
        expect(() => openModelFile(bytes.subarray(0, length))).toThrow(
          expect.objectContaining({ code: expect.stringMatching(/^gguf_/) }),
        );
      }),
      { seed: 30, numRuns: 150 },
    );
  });

  it('open or are refused by name when the header is changed', () => {
    // The metadata and the tensor table are the first 14 kB.
    fc.assert(
      fc.property(fc.nat(14_000), fc.nat(255), (at, byte) => {
        named(bytes.slice().fill(byte, at, at + 1));
      }),
      { seed: 31, numRuns: 150 },
    );
  });
});

describe('this room', () => {
  it('runs in a browser: no file of it imports Node', () => {
    const folder = new URL('./', import.meta.url);
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
    );
    expect(files.length).toBeGreaterThan(10);
    for (const name of files) {
      expect(readFileSync(new URL(name, folder), 'utf8'), name).not.toMatch(
        /from 'node:|\bBuffer\b/,
      );
    }
  });
});
