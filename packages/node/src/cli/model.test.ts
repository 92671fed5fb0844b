import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  bytesSource,
  type GgufMetadata,
  type GgufValue,
  loadGgufModel,
  metadataNumbers,
  metadataString,
  metadataStrings,
  readGguf,
  type TensorToWrite,
  writeGguf,
} from '@assay/engine';
import { createTokenizer, openModelFile, tinyModelFile } from '@assay/model';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cachedModel } from '../model-store.js';
import { addModel, convertModel, inspectModel, verifyModel } from './model.js';

const BYTES = tinyModelFile({ seed: 5 });
const ID = openModelFile(BYTES).identity.modelId;
const OTHER_ID = `0x${'11'.repeat(32)}` as const;
const json = { json: true };
/** What is said of a model whose residual stream is far from its bounds. */
const ROOMY = {
  residualBits: 16,
  saturationCount: 0,
  roomBits: 2,
  suggestedBits: 16,
  positionCount: 64,
};

let folder: string;
let output: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'assay-model-'));
  writeFileSync(join(folder, 'tiny.gguf'), BYTES);
  output = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    output += text;
    return true;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = 0;
  rmSync(folder, { recursive: true });
});

const at = (name: string) => join(folder, name);
const printed = () => JSON.parse(output);

/** The tokenizer of a GGUF file as a folder has it. */
function folderText(metadata: GgufMetadata) {
  const entries = metadataStrings(metadata, 'tokenizer.ggml.tokens')!;
  const types = metadataNumbers(metadata, 'tokenizer.ggml.token_type')!;
  const control = entries.flatMap((content, id) =>
    types[id] === 3 ? [{ id, content, special: true }] : [],
  );
  const plain = entries.flatMap((text, id) => (types[id] === 3 ? [] : [[text, id] as const]));
  return {
    'tokenizer.json': {
      added_tokens: control,
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
      model: {
        type: 'BPE',
        vocab: Object.fromEntries(plain),
        merges: metadataStrings(metadata, 'tokenizer.ggml.merges'),
      },
    },
    'tokenizer_config.json': {
      bos_token: '<|endoftext|>',
      eos_token: { content: '<|im_end|>' },
      chat_template: metadataString(metadata, 'tokenizer.chat_template'),
    },
  };
}

/** The tiny model as a folder with its tokenizer, `hub`. */
async function writeFolder(): Promise<void> {
  mkdirSync(at('hub'));
  await convertModel(json, at('tiny.gguf'), at('hub/model.safetensors'));
  expect(readdirSync(at('hub')).sort()).toEqual(['config.json', 'model.safetensors']);
  const { metadata } = loadGgufModel(BYTES).file;
  for (const [name, content] of Object.entries(folderText(metadata))) {
    writeFileSync(at(`hub/${name}`), JSON.stringify(content));
  }
  output = '';
}

/** The tiny model cut into two files, as llama.cpp's tool does. */
function writeParts(): void {
  const { metadata, tensors } = readGguf(bytesSource(BYTES));
  const all: TensorToWrite[] = [...tensors.values()].map(
    ({ name, dims, type, offset, byteCount }) => ({
      name,
      dims,
      type: type.name,
      bytes: BYTES.subarray(offset, offset + byteCount),
    }),
  );
  [all.slice(0, 9), all.slice(9)].forEach((part, number) => {
    const split: readonly (readonly [string, GgufValue])[] = [
      ['split.no', { type: 'uint16', value: number }],
      ['split.count', { type: 'uint16', value: 2 }],
      ['split.tensors.count', { type: 'int32', value: all.length }],
    ];
    const entries = number === 0 ? [...metadata, ...split] : split;
    const bytes = writeGguf({ metadata: new Map(entries), tensors: part });
    writeFileSync(at(`tiny-0000${number + 1}-of-00002.gguf`), bytes);
  });
}

const UNKNOWN_ID = new Map([
  ['tokenizer.ggml.unknown_token_id', { type: 'uint32', value: 0 }],
] as const);

describe('convertModel', () => {
  it('writes a Q8_0 file again without loss, with the same id', async () => {
    await convertModel(json, at('tiny.gguf'), at('again.gguf'));
    expect(printed()).toMatchObject({ lossless: true, modelId: ID });
    expect(openModelFile(readFileSync(at('again.gguf'))).identity.modelId).toBe(ID);
  });

  it('goes to a safetensors folder and back to the same id', async () => {
    await writeFolder();
    await convertModel(json, at('hub'), at('back.gguf'));
    expect(printed()).toMatchObject({ lossless: true, modelId: ID });
    await convertModel(json, at('hub/model.safetensors'), at('named.gguf'));
    expect(readFileSync(at('named.gguf')).equals(readFileSync(at('back.gguf')))).toBe(true);
  });

  it('takes pieces of SentencePiece from a folder', async () => {
    const url = new URL('../../../../vectors/folder-tokenizer.json', import.meta.url);
    const { tokenizer, texts, variants, scores } = JSON.parse(readFileSync(url, 'utf8'));
    const entries = Object.keys(tokenizer.model.vocab);
    const types = entries.map((_, id) => [2, 3, 3, 4][id] ?? (id < 260 ? 6 : 1));
    const vocabulary = {
      kind: 'llama',
      wordRule: 'default',
      entries,
      types,
      merges: [],
      scores,
    } as const;
    writeFileSync(at('pieces.gguf'), tinyModelFile({ vocabulary }));
    mkdirSync(at('hub'));
    await convertModel(json, at('pieces.gguf'), at('hub/model.safetensors'));
    const { normalizer, pre_tokenizer, plain } = variants['metaspace first'];
    const files = { ...tokenizer, normalizer, pre_tokenizer };
    writeFileSync(at('hub/tokenizer.json'), JSON.stringify(files));
    writeFileSync(at('hub/tokenizer_config.json'), JSON.stringify({ bos_token: '<s>' }));
    await convertModel(json, at('hub'), at('back.gguf'));
    const { metadata } = loadGgufModel(readFileSync(at('back.gguf'))).file;
    expect(texts.map((text: string) => createTokenizer(metadata).encode(text))).toEqual(plain);
  });

  it('takes unigram pieces from a folder, with their table of characters', async () => {
    const url = new URL('../../../../vectors/unigram.json', import.meta.url);
    const { texts, models } = JSON.parse(readFileSync(url, 'utf8'));
    const { tokenizer, types, charsmap, variants, sentencePiece } = models.mapped;
    const vocabulary = {
      kind: 't5',
      wordRule: 'default',
      entries: tokenizer.model.vocab.map(([entry]: [string]) => entry),
      types,
      merges: [],
      scores: types.map(() => 0),
    } as const;
    writeFileSync(at('zero.gguf'), tinyModelFile({ vocabulary, metadata: UNKNOWN_ID }));
    mkdirSync(at('hub'));
    await convertModel(json, at('zero.gguf'), at('hub/model.safetensors'));
    const { normalizer, pre_tokenizer } = variants.stripped;
    const files = JSON.stringify({ ...tokenizer, normalizer, pre_tokenizer });
    writeFileSync(at('hub/tokenizer.json'), files.replace('(charsmap)', charsmap));
    await convertModel(json, at('hub'), at('back.gguf'));
    const { metadata } = loadGgufModel(readFileSync(at('back.gguf'))).file;
    const back = createTokenizer(metadata);
    texts.forEach((text: string, index: number) => {
      const ids = sentencePiece['true,true'][index];
      if (ids !== null) expect(back.encode(text), text).toEqual(ids);
    });
  });

  it('takes a tokenizer from another file, and needs one', async () => {
    mkdirSync(at('hub'));
    await convertModel(json, at('tiny.gguf'), at('hub/model.safetensors'));
    const code = 'model_tokenizer_missing';
    await expect(convertModel(json, at('hub'), at('x.gguf'))).rejects.toMatchObject({ code });
    output = '';
    await convertModel({ json: true, tokenizer: at('tiny.gguf') }, at('hub'), at('x.gguf'));
    expect(printed()).toMatchObject({ modelId: ID });
  });

  it('joins the parts of a split file, whichever is named', async () => {
    writeParts();
    await convertModel(json, at('tiny-00002-of-00002.gguf'), at('whole.gguf'));
    expect(printed()).toMatchObject({ lossless: true, modelId: ID });
    rmSync(at('tiny-00001-of-00002.gguf'));
    const absent = convertModel(json, at('tiny-00002-of-00002.gguf'), at('x.gguf'));
    await expect(absent).rejects.toMatchObject({
      code: 'model_file_unreadable',
      value: at('tiny-00001-of-00002.gguf'),
    });
  });

  it('writes over nothing, and leaves nothing behind when it refuses', async () => {
    const before = readdirSync(folder);
    const refused = async (from: string, to: string, code: string) =>
      expect(convertModel(json, at(from), at(to))).rejects.toMatchObject({
        name: 'AssayError',
        code,
      });
    await refused('tiny.gguf', 'tiny.gguf', 'file_exists');
    await refused('tiny.gguf', 'no/such.gguf', 'folder_missing');
    await refused('tiny.gguf', 'tiny.bin', 'invalid_value');
    await refused('absent.gguf', 'x.gguf', 'model_file_unreadable');
    await refused('absent.safetensors', 'x.gguf', 'safetensors_missing_file');
    expect(readdirSync(folder)).toEqual(before);
    writeFileSync(at('cut.gguf'), BYTES.subarray(0, 9_000));
    await refused('cut.gguf', 'x.gguf', 'gguf_tensor_out_of_file');
    writeFileSync(at('config.json'), '{}');
    await refused('tiny.gguf', 'x.safetensors', 'file_exists');
    expect(readFileSync(at('config.json'), 'utf8')).toBe('{}');
  });
});

describe('inspectModel', () => {
  it('says how much room the residual stream has', async () => {
    await inspectModel(json, at('tiny.gguf'));
    expect(printed()).toMatchObject({
      fileSize: BYTES.length,
      residual: ROOMY,
      bytesPerToken: 288,
    });
    output = '';
    await inspectModel({ json: false }, at('tiny.gguf'));
    expect(output).toContain('16 fraction bits, room for 4 times the largest of 64 tokens');
  });

  it('names clamped elements, and the conversion that it advises helps', async () => {
    // The scale 32 in every block of one matrix: the residual stream leaves its range.
    const loud = readGguf(bytesSource(BYTES)).tensors.get('blk.0.ffn_down.weight')!;
    const bytes = BYTES.slice();
    for (let at = loud.offset; at < loud.offset + loud.byteCount; at += 34) {
      bytes.set([0x00, 0x50], at);
    }
    writeFileSync(at('loud.gguf'), bytes);
    await inspectModel(json, at('loud.gguf'));
    const { residual, identity } = printed();
    expect(residual.saturationCount).toBeGreaterThan(0);
    expect(residual.suggestedBits).toBeLessThan(16);
    output = '';
    await inspectModel({ json: false }, at('loud.gguf'));
    const [, advised] = /clamped in 64 tokens: convert it with --residual-bits (\d+)/.exec(output)!;
    expect(Number(advised)).toBe(residual.suggestedBits);
    await convertModel({ ...json, residualBits: advised! }, at('loud.gguf'), at('calm.gguf'));
    output = '';
    await inspectModel(json, at('calm.gguf'));
    expect(printed().residual).toMatchObject({ saturationCount: 0, roomBits: 2 });
    expect(printed().identity.modelId).not.toBe(identity.modelId);
    expect(printed().identity.weightsRoot).toBe(identity.weightsRoot);
  });

  it('refuses fraction bits outside the proofs', async () => {
    for (const residualBits of ['11', '21', '16.5', 'x']) {
      const refused = convertModel({ ...json, residualBits }, at('tiny.gguf'), at('x.gguf'));
      await expect(refused).rejects.toMatchObject({ code: 'invalid_value' });
    }
  });
});

describe('inspectModel and addModel', () => {
  it('take folders and parts as the file that a conversion writes', async () => {
    writeParts();
    await writeFolder();
    await convertModel(json, at('hub'), at('whole.gguf'));
    const whole = readFileSync(at('whole.gguf'));
    for (const name of ['hub', 'hub/model.safetensors', 'tiny-00002-of-00002.gguf']) {
      output = '';
      await inspectModel(json, at(name));
      expect(printed().identity.modelId).toBe(ID);
      expect(printed().residual).toEqual(ROOMY);
      output = '';
      await addModel({ ...json, home: at(`home of ${name.replace('/', ' ')}`) }, at(name));
      expect(printed().modelId).toBe(ID);
      const cached = readFileSync(printed().file);
      expect(openModelFile(cached).identity.modelId).toBe(ID);
      if (name.startsWith('hub')) expect(cached.equals(whole)).toBe(true);
    }
  });

  it('want a tokenizer, and refuse a folder as a conversion does', async () => {
    await writeFolder();
    rmSync(at('hub/tokenizer.json'));
    const home = at('home');
    const refused = async (path: string, code: string) => {
      for (const run of [
        () => inspectModel(json, path),
        () => addModel({ ...json, home }, path),
        () => convertModel(json, path, at('x.gguf')),
      ]) {
        await expect(run()).rejects.toMatchObject({ name: 'AssayError', code });
      }
    };
    await refused(at('hub'), 'model_tokenizer_missing');
    output = '';
    await inspectModel({ ...json, tokenizer: at('tiny.gguf') }, at('hub'));
    expect(printed().identity.modelId).toBe(ID);
    rmSync(at('hub/model.safetensors'));
    await refused(at('hub'), 'safetensors_missing_file');
    await refused(at('absent.gguf'), 'model_file_unreadable');
  });
});

describe('verifyModel', () => {
  it('agrees with the id of the file and of its parts', async () => {
    writeParts();
    for (const name of ['tiny.gguf', 'tiny-00001-of-00002.gguf']) {
      output = '';
      await verifyModel({ json: true, id: ID }, at(name));
      expect(printed()).toMatchObject({ same: true, modelId: ID });
      expect(process.exitCode ?? 0).toBe(0);
    }
  });

  it('exits with 1 for another id, also when one weight differs', async () => {
    await verifyModel({ json: true, id: OTHER_ID }, at('tiny.gguf'));
    expect(printed()).toMatchObject({ same: false, modelId: ID, expected: OTHER_ID });
    expect(process.exitCode).toBe(1);
    process.exitCode = 0;
    writeFileSync(at('changed.gguf'), BYTES.with(-3, BYTES.at(-3)! ^ 1));
    await verifyModel({ json: true, id: ID }, at('changed.gguf'));
    expect(process.exitCode).toBe(1);
  });

  it('refuses what is no id', async () => {
    const code = 'invalid_value';
    await expect(verifyModel({ json: true, id: '0x12' }, at('tiny.gguf'))).rejects.toMatchObject({
      code,
    });
  });
});

describe('addModel', () => {
  it('copies the file into the cache under its id', async () => {
    await addModel({ json: true, home: at('home') }, at('tiny.gguf'));
    const cached = cachedModel(at('home'), ID);
    expect(printed()).toEqual({ modelId: ID, file: cached, residual: ROOMY });
    expect(readFileSync(cached!).equals(BYTES)).toBe(true);
  });

  it('refuses by name what is no model', async () => {
    writeFileSync(at('cut.gguf'), BYTES.subarray(0, 9_000));
    const refusal = { name: 'AssayError', code: 'gguf_tensor_out_of_file' };
    await expect(addModel({ json: true, home: at('home') }, at('cut.gguf'))).rejects.toMatchObject(
      refusal,
    );
    await expect(inspectModel(json, at('cut.gguf'))).rejects.toMatchObject(refusal);
  });
});
