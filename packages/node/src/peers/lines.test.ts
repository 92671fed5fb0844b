/** On a real socket, cut at any byte: the lines are those that were sent, or the reader learns why not. */
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { lineReader } from './lines.js';

let close = (): void => {};
afterEach(() => close());

async function open(answer: (response: ServerResponse) => unknown): Promise<IncomingMessage> {
  const server = createServer((_, response) => void answer(response));
  close = () => {
    server.closeAllConnections();
    server.close();
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve) => get({ port }, resolve));
}

async function* readLines(
  answer: IncomingMessage,
  lengthMax: number,
): AsyncGenerator<string, void> {
  const lines = lineReader(answer, { lengthMax });
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) yield line;
}

async function collect(answer: IncomingMessage, lengthMax = 1_000): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of readLines(answer, lengthMax)) lines.push(line);
  return lines;
}

const pause = (ms = 3): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('lineReader', () => {
  it('puts lines together that arrive in pieces, and parts those that arrive together', async () => {
    const bytes = Buffer.from('first\nzweite Zeile: ü\n\nthird\nlast');
    const answer = await open(async (response) => {
      for (let at = 0; at < bytes.length; at += 5) {
        response.write(bytes.subarray(at, at + 5));
        await pause();
      }
      response.end();
    });
    expect(await collect(answer)).toEqual(['first', 'zweite Zeile: ü', 'third', 'last']);
  });

  it('reads all of a sender that is much faster', async () => {
    const sent = Array.from({ length: 5_000 }, (_, index) => `line ${index}`);
    const answer = await open((response) => response.end(`${sent.join('\n')}\n`));
    const lines: string[] = [];
    for await (const line of readLines(answer, 1_000)) {
      lines.push(line);
      if (lines.length % 1_000 === 0) await pause();
    }
    expect(lines).toEqual(sent);
  });

  it('throws when the connection is cut, after the lines that came', async () => {
    const answer = await open(async (response) => {
      response.write('whole\npart');
      await pause(20);
      response.socket?.destroy();
    });
    const lines: string[] = [];
    const reading = (async () => {
      for await (const line of readLines(answer, 1_000)) lines.push(line);
    })();
    await expect(reading).rejects.toThrow();
    expect(lines).toEqual(['whole']);
  });

  it('refuses a line without end', async () => {
    const answer = await open((response) => response.write('x'.repeat(2_000)));
    await expect(collect(answer)).rejects.toMatchObject({ code: 'answer_too_large' });
    answer.destroy();
  });
});
