/**
 * DEVELOPMENT ONLY: pretends to be a gateway, so that the page can be looked at without a network. Nothing here is
 * shipped or tested against; signatures and checks are made up. Serves the built page and the `/v1` surface.
 *
 *     node packages/console/dev/fake-gateway.mjs [port]     SLOW=1, EMPTY=1, LIAR=1 change its manners
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const PORT = Number(process.argv[2] ?? 8790);
const PAGE = fileURLToPath(new URL('../dist/page', import.meta.url));
const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};
const CSP =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; style-src 'self'; img-src 'self' data:; worker-src 'self'";
const WORDS =
  'Assay is an open network where you can buy answers from a model and check them yourself. A provider computes your answer in whole numbers, so that every honest machine gets the same tokens. It signs a receipt that names the model, the prompt, the answer and the price. If somebody re-computes the answer and a single token differs, the signed receipt is the evidence.';

const hex = (bytes) => `0x${randomBytes(bytes).toString('hex')}`;
const provider = '0x7a3f19c2b4d85e60a1f2c3d4e5f60718293a91bc';
const modelId = `0x${'5c41d9e8'.repeat(8)}`;
const model = 'assay-small';
const receipts = new Map();
const listeners = new Set();
let block = 1204;

const push = (event) => {
  for (const response of listeners) response.write(`data: ${JSON.stringify(event)}\n\n`);
};
setInterval(() => push({ type: 'block', block: ++block }), 2000);

function record(inputCount, outputCount, finish) {
  const jobId = hex(32);
  const price = String(Math.ceil((inputCount * 100_000 + outputCount * 400_000) / 1e6));
  const outputTokens = Array.from(
    { length: outputCount },
    (_, i) => (i * i * 7919 + i * 131 + outputCount) % 4096,
  );
  const job = {
    modelId,
    provider,
    requester: '0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a',
    channelId: hex(32),
    lane: 0,
    tier: 3,
    inputRoot: hex(32),
    inputCount,
    outputCountMax: 256,
    sampler: { tau: 0, topK: 0, topP: 0, minP: 0, seed: hex(32), stopIds: [2] },
    inputPrice: '100000',
    outputPrice: '400000',
    expiresAt: '1790000000',
    nonce: hex(32),
  };
  const createdAt = Date.now();
  const receipt = {
    jobId,
    outputRoot: hex(32),
    outputCount,
    finish,
    streamHead: hex(32),
    price,
    completedAt: String(Math.floor(createdAt / 1000)),
  };
  const envelope = {
    jobId,
    chainId: 31337,
    contract: hex(20),
    job,
    jobSignature: hex(65),
    receipt,
    receiptSignature: hex(65),
    inputTokens: Array.from({ length: inputCount }, (_, i) => i),
    outputTokens,
    salt: hex(32),
  };
  receipts.set(jobId, { envelope, check: null, createdAt });
  return receipts.get(jobId);
}

const item = ({ envelope, check, createdAt }) => ({
  jobId: envelope.jobId,
  model: modelId,
  provider,
  inputCount: envelope.job.inputCount,
  outputCount: envelope.receipt.outputCount,
  price: envelope.receipt.price,
  createdAt,
  finish: envelope.receipt.finish,
  check,
});

const pot = (contract, deposited, settled) => ({
  contract,
  address: hex(20),
  deposited: String(deposited),
  settled: String(settled),
  refunded: '0',
  withdrawn: '0',
  slashed: '0',
  held: String(deposited - settled),
  balanced: true,
});

const network = () => {
  const all = [...receipts.values()];
  const sum = (f) => all.reduce((total, entry) => total + f(entry), 0);
  const paid = String(sum(({ envelope }) => Number(envelope.receipt.price)));
  return {
    chain: { id: 31337, rpc: 'http://127.0.0.1:8545', block },
    gateway: { url: `http://127.0.0.1:${PORT}` },
    contracts: { settlement: hex(20), compute: hex(20), model: hex(20), dollar: hex(20) },
    providers: process.env.EMPTY
      ? []
      : [
          {
            address: provider,
            endpoint: 'http://127.0.0.1:8788',
            models: [modelId],
            stake: '100000000',
            earned: paid,
            online: true,
          },
        ],
    requests: {
      count: all.length,
      tokens: sum(({ envelope }) => envelope.receipt.outputCount),
      paid,
      verified: sum(({ check }) => (check?.result === 'identical' ? 1 : 0)),
    },
    money: [pot('channels', 10_000_000, Number(paid)), pot('stake', 100_000_000, 0)],
  };
};

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function complete(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const { messages } = JSON.parse(Buffer.concat(chunks).toString());
  const question = messages.at(-1).content;
  const entry = record(12 + question.length, 0, 0);
  receipts.delete(entry.envelope.jobId);
  const base = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model };
  const send = (fields) =>
    response.write(`data: ${JSON.stringify({ ...base, usage: null, ...fields })}\n\n`);
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'x-assay-receipt': entry.envelope.jobId,
  });
  send({ choices: [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }] });
  let gone = false;
  response.on('close', () => {
    gone = true;
  });
  const words = `${WORDS} ${question.includes('long') ? `${WORDS} ${WORDS}` : ''}`
    .trim()
    .split(/(?<= )/);
  const sent = [];
  for (const word of words) {
    await sleep(process.env.SLOW ? 120 : 25);
    if (gone) break;
    sent.push(word);
    if (question.includes('break') && sent.length > 9) {
      send({
        error: {
          message: 'The provider left in the middle of the answer.',
          type: 'server_error',
          param: null,
          code: 'provider_lost',
        },
      });
      response.end();
      break;
    }
    send({ choices: [{ index: 0, delta: { content: word }, finish_reason: null }] });
  }
  const { envelope } = record(12 + question.length, sent.length, gone ? 2 : 0);
  receipts.delete(envelope.jobId);
  const jobId = entry.envelope.jobId;
  envelope.jobId = envelope.receipt.jobId = jobId;
  receipts.set(jobId, { envelope, check: null, createdAt: Date.now() });
  push({ type: 'activity', item: item(receipts.get(jobId)) });
  if (gone || response.writableEnded) return;
  send({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });
  const { inputCount } = envelope.job;
  send({
    choices: [],
    usage: {
      prompt_tokens: inputCount,
      completion_tokens: sent.length,
      total_tokens: inputCount + sent.length,
    },
    receipt: { id: jobId, price: envelope.receipt.price, provider, model: modelId },
  });
  response.end('data: [DONE]\n\n');
}

async function check(entry, response) {
  await sleep(1200);
  const verdict = process.env.LIAR
    ? { result: 'different', position: 11, expected: ' gold', found: ' silver' }
    : { result: 'identical' };
  entry.check = {
    ...verdict,
    verifier: '0x5b38da6a701c568545dcfcb03fcb875f56beddc4',
    seconds: 1.1,
  };
  push({ type: 'check', jobId: entry.envelope.jobId, check: entry.check });
  json(response, entry.check);
}

const json = (response, value, status = 200) => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
};
const refuse = (response, status, code, message) =>
  json(response, { error: { message, type: 'invalid_request_error', param: null, code } }, status);

async function page(path, response) {
  const file = path === '/' ? '/index.html' : path;
  try {
    const body = await readFile(join(PAGE, normalize(file)));
    response.writeHead(200, {
      'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
      'content-security-policy': CSP,
    });
    response.end(body);
  } catch {
    refuse(response, 404, 'not_found', 'There is nothing at this address.');
  }
}

createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://x');
  if (!pathname.startsWith('/v1/')) return page(pathname, response);
  if (pathname === '/v1/models')
    return json(response, {
      object: 'list',
      data: process.env.EMPTY
        ? []
        : [{ id: model, object: 'model', created: 1, owned_by: provider, model_id: modelId }],
    });
  if (pathname === '/v1/network') return json(response, network());
  if (pathname === '/v1/network/activity')
    return json(response, {
      items: [...receipts.values()]
        .filter((e) => e.envelope.receipt.outputCount > 0)
        .map(item)
        .sort((a, b) => b.createdAt - a.createdAt),
    });
  if (pathname === '/v1/network/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(': hello\n\n');
    listeners.add(response);
    return response.on('close', () => listeners.delete(response));
  }
  if (pathname === '/v1/chat/completions') return complete(request, response);
  const [, jobId, action] = /^\/v1\/receipts\/(0x\w+)(\/check)?$/.exec(pathname) ?? [];
  const entry = receipts.get(jobId);
  if (entry === undefined)
    return refuse(response, 404, 'receipt_not_found', 'No receipt with this id is known here.');
  return action ? check(entry, response) : json(response, entry);
}).listen(PORT, '127.0.0.1', () =>
  process.stdout.write(`fake gateway at http://127.0.0.1:${PORT}\n`),
);

if (!process.env.EMPTY) {
  for (let i = 0; i < 14; i++) {
    const entry = record(20 + i * 3, 14 + ((i * 37) % 90), 0);
    entry.createdAt -= i * i * 3100 + 4000;
    if (i % 3 !== 1)
      entry.check = {
        result: i === 8 ? 'different' : 'identical',
        position: 4,
        verifier: provider,
        seconds: 1,
      };
  }
}
