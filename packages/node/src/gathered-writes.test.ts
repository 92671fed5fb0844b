/** On a real socket: what belongs together is one write, and nothing waits longer than it may. */
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { gatherWrites } from './gathered-writes.js';

let close = (): void => {};
afterEach(() => close());

/** The chunks that a reader of an answer sees, each with the time it took. */
async function chunksOf(
  answer: (response: ServerResponse) => void,
): Promise<{ text: string; ms: number }[]> {
  const server = createServer((_, response) => answer(response));
  close = () => void server.close();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const started = performance.now();
  const incoming = await new Promise<IncomingMessage>((resolve) => get({ port }, resolve));
  expect(incoming.headers['content-type']).toBe('text/plain');
  const chunks: { text: string; ms: number }[] = [];
  for await (const part of incoming as AsyncIterable<Buffer>)
    chunks.push({ text: part.toString(), ms: performance.now() - started });
  return chunks;
}

const HEADERS = { 'content-type': 'text/plain' };

describe('gatherWrites', () => {
  it('writes once what comes in one turn, with the end', async () => {
    const chunks = await chunksOf((response) => {
      const writes = gatherWrites(response, HEADERS);
      writes.add('a');
      writes.add('b');
      writes.end();
    });
    expect(chunks.map(({ text }) => text)).toEqual(['ab']);
  });

  it('writes what comes in another turn on its own', async () => {
    const chunks = await chunksOf(async (response) => {
      const writes = gatherWrites(response, HEADERS);
      writes.add('a');
      await new Promise((resolve) => setTimeout(resolve, 30));
      writes.add('b');
      await new Promise((resolve) => setTimeout(resolve, 30));
      writes.end();
    });
    expect(chunks.map(({ text }) => text)).toEqual(['a', 'b']);
  });

  it('lets a piece wait for the next, but no longer than it may', async () => {
    const chunks = await chunksOf(async (response) => {
      const writes = gatherWrites(response, HEADERS);
      writes.add('a', 1_000);
      await new Promise((resolve) => setTimeout(resolve, 5));
      writes.add('b');
      await new Promise((resolve) => setTimeout(resolve, 30));
      writes.add('c', 5);
      await new Promise((resolve) => setTimeout(resolve, 60));
      writes.add('d');
      writes.end();
    });
    expect(chunks.map(({ text }) => text)).toEqual(['ab', 'c', 'd']);
    expect(chunks[0]!.ms).toBeLessThan(900);
  });

  it('ends an answer that has nothing in it', async () => {
    expect(await chunksOf((response) => gatherWrites(response, HEADERS).end())).toEqual([]);
  });
});
