import { AssayError } from '@assay/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CompletionEvent, readChunk, readCompletion } from './completion.js';

const ID = `0x${'ab'.repeat(32)}`;
const chunk = (fields: object): string =>
  `data: ${JSON.stringify({ object: 'chat.completion.chunk', usage: null, ...fields })}\n\n`;
const delta = (content: string): string =>
  chunk({ choices: [{ index: 0, delta: { content }, finish_reason: null }] });

const STREAM = [
  ': queue 1\n\n',
  chunk({ choices: [{ index: 0, delta: { role: 'assistant', content: '' } }] }),
  delta('Gold, '),
  delta('silver 漢 🜚'),
  chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }),
  chunk({
    choices: [],
    usage: { prompt_tokens: 12, completion_tokens: 5, total_tokens: 17 },
    receipt: { id: ID, price: '21', provider: '0x01', model: '0x02' },
  }),
  'data: [DONE]\n\n',
].join('');

const EXPECTED: readonly CompletionEvent[] = [
  { type: 'text', text: 'Gold, ' },
  { type: 'text', text: 'silver 漢 🜚' },
  { type: 'finish', reason: 'stop' },
  { type: 'usage', usage: { inputCount: 12, outputCount: 5 } },
  { type: 'receipt', receipt: { id: ID, price: '21', provider: '0x01', model: '0x02' } },
  { type: 'done' },
];

const bodyOf = (pieces: readonly Uint8Array[]): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });

async function read(pieces: readonly Uint8Array[]): Promise<CompletionEvent[]> {
  const events: CompletionEvent[] = [];
  await readCompletion(bodyOf(pieces), (event) => events.push(event));
  return events;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('readCompletion', () => {
  it('reads text, finish, usage, receipt and the end', async () => {
    expect(await read([bytes(STREAM)])).toEqual(EXPECTED);
  });

  it('reads the same wherever the bytes are cut, inside characters too (seed 11)', async () => {
    const whole = bytes(STREAM);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: whole.length })), async (cuts) => {
        const points = [0, ...cuts.sort((a, b) => a - b), whole.length];
        const pieces = points.slice(1).map((end, index) => whole.slice(points[index], end));
        expect(await read(pieces)).toEqual(EXPECTED);
      }),
      { seed: 11, numRuns: 200 },
    );
  });

  it('ignores what comes after [DONE]', async () => {
    expect(await read([bytes(`${STREAM}data: {"error":"late"}\n\n`)])).toEqual(EXPECTED);
  });

  it('rejects a stream without [DONE], and says so', async () => {
    await expect(read([bytes(delta('half an answ'))])).rejects.toMatchObject({
      code: 'stream_cut',
    });
  });

  it('rejects on an error frame with its code and words', async () => {
    const frame = 'data: {"error":{"message":"The provider left.","code":"provider_lost"}}\n\n';
    await expect(read([bytes(delta('half') + frame)])).rejects.toMatchObject({
      code: 'provider_lost',
      message: 'The provider left.',
    });
  });

  it('hands out the text before the error that follows it', async () => {
    const events: CompletionEvent[] = [];
    const frame = 'data: {"error":{"message":"x","code":"y"}}\n\n';
    const body = bodyOf([bytes(delta('half') + frame)]);
    await expect(readCompletion(body, (event) => events.push(event))).rejects.toThrow(AssayError);
    expect(events).toEqual([{ type: 'text', text: 'half' }]);
  });

  it('rejects a chunk that is not JSON', async () => {
    await expect(read([bytes('data: <html>\n\n')])).rejects.toMatchObject({
      code: 'stream_broken',
    });
  });
});

describe('readChunk', () => {
  it('takes usage beside non-empty choices', () => {
    const data = '{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}],"usage":{}}';
    expect(readChunk(data).map((event) => event.type)).toEqual(['text', 'finish', 'usage']);
  });
  it('takes chunks without choices', () => expect(readChunk('{}')).toEqual([]));
  it('refuses JSON that is no object', () => {
    expect(() => readChunk('7')).toThrow(expect.objectContaining({ code: 'stream_broken' }));
  });
});
