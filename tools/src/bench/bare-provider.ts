/**
 * The same engine and model behind the plainest server that speaks OpenAI: no job, no signature, no payment, no
 * receipt. What a gateway adds is measured against this. `node bare-provider.js MODEL` prints `{"url"}`.
 */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { openTokenizerOnly } from '@assay/model';
import { startEngine } from '@assay/node';
import { NO_CONTROLS } from '@assay/protocol';

const [modelPath] = process.argv.slice(2) as [string];
const { chat, tokenizer } = openTokenizerOnly(readFileSync(modelPath));
const engine = await startEngine({ modelPath, threads: 1 });

type Body = { messages: { role: 'user'; content: string }[]; max_tokens: number };

async function readJson(request: IncomingMessage): Promise<Body> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString()) as Body;
}

async function answer({ messages, max_tokens }: Body): Promise<object> {
  const inputTokens = chat.renderChat(messages);
  const sampler = {
    tau: 0,
    topK: 0,
    topP: 0,
    minP: 0,
    seed: `0x${'00'.repeat(32)}` as const,
    stopIds: tokenizer.eosIds,
    controls: NO_CONTROLS,
  };
  const tokens: number[] = [];
  const { signal } = new AbortController();
  for await (const part of engine.run({ inputTokens, outputCountMax: max_tokens, sampler, signal }))
    tokens.push(...part.tokens);
  const usage = {
    prompt_tokens: inputTokens.length,
    completion_tokens: tokens.length,
    total_tokens: inputTokens.length + tokens.length,
  };
  const message = { role: 'assistant', content: tokenizer.decode(tokens) };
  return {
    id: 'bare',
    object: 'chat.completion',
    created: 0,
    model: 'bare',
    choices: [{ index: 0, message, finish_reason: 'stop' }],
    usage,
  };
}

const server = createServer(async (request, response) => {
  const text = JSON.stringify(await answer(await readJson(request)));
  response.writeHead(200, { 'content-type': 'application/json' }).end(text);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address() as { port: number };
  process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${address.port}` })}\n`);
});
