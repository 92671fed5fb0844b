/**
 * `assay ask`: one question, the answer as it arrives, then what it cost and whether a verifier found the same bits.
 */
import { AssayError, formatAmount, type Hex } from '@assay/protocol';
import { openAnswer, readBody } from '../peers/http-client.js';
import { fetchGateway, gatewayHeaders } from './gateway-client.js';
import { EXIT, type Output, print } from './output.js';

export type AskOptions = Output & {
  readonly gateway: string;
  readonly question: string;
  readonly model: string | undefined;
  readonly maxTokens: number | undefined;
  readonly temperature: number | undefined;
  readonly seed: number | undefined;
  readonly system: string | undefined;
  readonly check: boolean;
};

type Check = { readonly result: string; readonly position?: number; readonly seconds?: number };
type Usage = {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
};
type ReceiptField = { readonly id: Hex; readonly price: string; readonly usage: Usage };

type StreamChunk = {
  readonly choices?: readonly { readonly delta?: { readonly content?: string } }[];
  readonly receipt?: ReceiptField;
  readonly error?: { readonly code?: string; readonly message?: string };
};

export async function ask(options: AskOptions): Promise<void> {
  const model = options.model ?? (await firstModel(options.gateway));
  const onText = (text: string): void => void (options.json || process.stdout.write(text));
  const { answer, receipt } = await streamAnswer(options, model, onText);
  const check = options.check ? await checkReceipt(options.gateway, receipt.id) : null;
  if (!options.json) process.stdout.write('\n');
  const document = {
    answer,
    model,
    receipt: receipt.id,
    price: receipt.price,
    usage: receipt.usage,
    check,
  };
  print(options, document, summary(model, receipt, check));
  if (check?.result === 'different') process.exitCode = EXIT.refused;
}

const summary = (model: string, { usage, price, id }: ReceiptField, check: Check | null): string =>
  `— ${model} · ${usage.prompt_tokens} + ${usage.completion_tokens} tokens · ${formatAmount(BigInt(price))} · receipt ${id} · ${checkText(check)}`;

function checkText(check: Check | null): string {
  if (check === null) return 'not checked';
  if (check.result === 'identical') return '✓ re-computed, identical';
  if (check.result === 'different') return `✗ different from token ${check.position}`;
  return 'check not available';
}

async function firstModel(gateway: string): Promise<string> {
  const { data } = (await fetchGateway({ url: `${gateway}/v1/models` })) as {
    data: { id: string }[];
  };
  const first = data[0];
  if (first === undefined) {
    throw new AssayError({
      code: 'no_provider',
      fault: 'platform',
      message: 'No model is offered on this network.',
      remedy: 'Start a provider with `assay provider`, then look at `assay status`.',
    });
  }
  return first.id;
}

async function streamAnswer(
  options: AskOptions,
  model: string,
  onText: (text: string) => void,
): Promise<{ answer: string; receipt: ReceiptField }> {
  const url = `${options.gateway}/v1/chat/completions`;
  const response = await openAnswer({
    method: 'POST',
    url,
    body: requestBody(options, model),
    headers: gatewayHeaders(),
    timeoutMs: 120_000,
  });
  if (response.statusCode !== 200)
    throw gatewayRefused(response.statusCode, (await readBody(response, 1 << 20)).toString());
  let answer = '';
  let receipt: ReceiptField | undefined;
  for await (const chunk of parseStream(response)) {
    if (chunk.error) throw gatewayRefused(200, JSON.stringify(chunk));
    const text = chunk.choices?.[0]?.delta?.content ?? '';
    answer += text;
    if (text !== '') onText(text);
    receipt = chunk.receipt ?? receipt;
  }
  if (receipt === undefined) throw gatewayRefused(200, 'the stream ended without a receipt');
  return { answer, receipt };
}

function requestBody(options: AskOptions, model: string): string {
  const system = options.system === undefined ? [] : [{ role: 'system', content: options.system }];
  return JSON.stringify({
    model,
    stream: true,
    messages: [...system, { role: 'user', content: options.question }],
    max_tokens: options.maxTokens,
    temperature: options.temperature,
    seed: options.seed,
  });
}

/** Chunks of a server-sent stream of JSON documents. */
async function* parseStream(response: AsyncIterable<Buffer>): AsyncGenerator<StreamChunk, void> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const part of response) {
    text += decoder.decode(part, { stream: true });
    const lines = text.split('\n');
    text = lines.pop()!;
    for (const line of lines) {
      const data = line.startsWith('data: ') ? line.slice(6) : '';
      if (data !== '' && data !== '[DONE]') yield JSON.parse(data) as StreamChunk;
    }
  }
}

function gatewayRefused(status: number | undefined, body: string): AssayError {
  let error: { code?: string; message?: string } | undefined;
  try {
    error = (JSON.parse(body) as { error?: typeof error }).error;
  } catch {
    error = undefined;
  }
  return new AssayError({
    code: error?.code ?? 'gateway_refused',
    fault: status !== undefined && status >= 400 && status < 500 ? 'user' : 'peer',
    message: error?.message ?? `The gateway answered HTTP ${status}.`,
    ...(error === undefined ? { value: body.slice(0, 80) } : {}),
  });
}

async function checkReceipt(gateway: string, id: Hex): Promise<Check> {
  return (await fetchGateway({
    method: 'POST',
    url: `${gateway}/v1/receipts/${id}/check`,
    body: '{}',
    timeoutMs: 120_000,
  })) as Check;
}
