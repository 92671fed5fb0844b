/** The gateway's addresses: OpenAI's, the receipts, the network, the page. */
import { AssayError, encodeJson, type Hex, isHexOf } from '@assay/protocol';
import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type Context, Hono } from 'hono';
import type { Guard } from '../guards.js';
import { readRequestText } from '../http-errors.js';
import type { Shortcut } from '../listen.js';
import type { Logger } from '../log.js';
import { fileResponse } from '../roles/provider-http.js';
import type { AuditView } from './audit-view.js';
import type { ChatHandler } from './chat.js';
import type { DisputeView } from './dispute-view.js';
import type { Live } from './live.js';
import type { ListedModel, ModelCatalog } from './model-catalog.js';
import type { NetworkView } from './network-view.js';
import { ParameterError, respondOpenAiError } from './openai-errors.js';
import { pageApp } from './page.js';
import type { ReceiptBook } from './receipt-book.js';

export type RoutesOptions = {
  readonly guard: Guard;
  readonly chat: ChatHandler;
  readonly embeddings: (context: Context) => Promise<Response>;
  readonly catalog: ModelCatalog;
  readonly receipts: ReceiptBook;
  readonly network: NetworkView;
  readonly disputes: DisputeView;
  readonly audits: AuditView;
  /** Shows drawn receipts to the verifiers that were drawn for them. */
  readonly auditRoutes: Hono;
  readonly live: Live;
  /** Path of a model's file if the gateway has it. */
  readonly modelPath: (modelId: Hex) => Promise<string>;
  readonly log: Logger;
};

/** A check request carries nothing. */
const CHECK_BYTES_MAX = 1_024;

/** Items of activity, or audits, per answer. */
const LIST_MAX = 500;
const LIST_DEFAULT = 50;

const JSON_TYPE = { 'content-type': 'application/json' } as const;

export function gatewayApp(options: RoutesOptions): Hono {
  const app = new Hono();
  app.onError((error, context) => {
    if (!(error instanceof AssayError))
      options.log.error({ error: String(error), stack: error.stack }, 'request failed');
    return respondOpenAiError(context, error);
  });
  app.notFound((context) => respondOpenAiError(context, noSuchAddress(context.req.path)));
  // Before the guard: the verifiers of a network have no key of this gateway, and sign what they ask for.
  app.route('/', options.auditRoutes);
  app.use('*', options.guard.middleware);
  app.post(CHAT_PATH, async (context) => {
    const { incoming, outgoing } = context.env as HttpBindings;
    await options.chat(incoming, outgoing);
    return RESPONSE_ALREADY_SENT;
  });
  app.post('/v1/embeddings', options.embeddings);
  addModelRoutes(app, options);
  addReceiptRoutes(app, options);
  addNetworkRoutes(app, options);
  app.route('/', pageApp());
  return app;
}

const CHAT_PATH = '/v1/chat/completions';

/**
 * Takes the one request that has to be fast past the router and the objects of the web: true if it did. Everything that
 * could be refused for who asks, or is written another way, is left to {@link gatewayApp}.
 */
export function chatShortcut({ guard, chat }: Pick<RoutesOptions, 'guard' | 'chat'>): Shortcut {
  return (incoming, outgoing) => {
    const { method, url, headers } = incoming;
    if (method !== 'POST' || url !== CHAT_PATH || !guard.admits(headers)) return false;
    void chat(incoming, outgoing);
    return true;
  };
}

const noSuchAddress = (path: string): ParameterError =>
  new ParameterError({
    code: 'not_found',
    message: 'There is no such address.',
    param: null,
    value: path.slice(0, 80),
    remedy: 'The gateway answers under /v1 as OpenAI does; the page is at /.',
  });

const openAiModel = ({ modelId, name, createdAt, owner }: ListedModel): object => ({
  id: name,
  object: 'model',
  created: createdAt,
  owned_by: owner,
  model_id: modelId,
});

function addModelRoutes(app: Hono, { catalog, modelPath }: RoutesOptions): void {
  app.get('/v1/models', (context) =>
    context.json({ object: 'list', data: catalog.list().map(openAiModel) }),
  );
  app.get('/v1/models/:id/file', async (context) => {
    const { modelId } = catalog.find(context.req.param('id'));
    return fileResponse(await modelPath(modelId));
  });
  app.get('/v1/models/:id{.+}', (context) =>
    context.json(openAiModel(catalog.find(context.req.param('id')))),
  );
}

function addReceiptRoutes(app: Hono, { receipts, audits }: RoutesOptions): void {
  app.get('/v1/receipts/:id', async (context) => {
    const id = receiptId(context.req.param('id'));
    const found = { ...(await receipts.find(id)), audits: await audits.of(id) };
    return context.body(encodeJson(found), 200, JSON_TYPE);
  });
  app.post('/v1/receipts/:id/check', async (context) => {
    await readRequestText(context.req.raw, CHECK_BYTES_MAX);
    const check = await receipts.check(receiptId(context.req.param('id')));
    return context.body(encodeJson(check), 200, JSON_TYPE);
  });
}

function receiptId(text: string): Hex {
  if (isHexOf(text, 32)) return text.toLowerCase() as Hex;
  throw new ParameterError({
    code: 'invalid_value',
    message: 'A receipt id is 0x and 64 hexadecimal digits.',
    param: 'id',
    value: text.slice(0, 80),
    remedy: 'Take it from `receipt.id` of an answer.',
  });
}

function addNetworkRoutes(app: Hono, options: RoutesOptions): void {
  const { network, live, receipts, disputes, audits } = options;
  app.get('/v1/disputes', async (context) => context.json({ disputes: await disputes.list() }));
  app.get('/v1/network', async (context) => {
    await receipts.settled();
    return context.body(encodeJson(await network.status()), 200, JSON_TYPE);
  });
  app.get('/v1/network/activity', async (context) => {
    const limit = limitOf(context.req.query('limit'));
    await receipts.settled();
    return context.body(encodeJson({ items: await network.activity(limit) }), 200, JSON_TYPE);
  });
  app.get('/v1/audits', async (context) => {
    const list = await audits.list(limitOf(context.req.query('limit')));
    return context.body(encodeJson({ audits: list }), 200, JSON_TYPE);
  });
  app.get('/v1/network/events', live.handler);
}

function limitOf(text: string | undefined): number {
  const wanted = Number(text ?? LIST_DEFAULT);
  return Number.isInteger(wanted) ? Math.min(Math.max(wanted, 1), LIST_MAX) : LIST_DEFAULT;
}
