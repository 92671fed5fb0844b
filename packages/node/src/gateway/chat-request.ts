/**
 * What a client may ask of `POST /v1/chat/completions`: shapes and ranges are checked, parameters that we do not know
 * are accepted and listed as ignored, because stock clients send many.
 */
import type { ChatMessage } from '@assay/model';
import { type Controls, STOP_IDS_MAX } from '@assay/protocol';
import { CONTROL_PARAMETERS, parseControls } from './control-request.js';
import { type Body, boolean, integer, number, record, tokenIds, wrong } from './request-fields.js';

export type ChatRequest = {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly stream: boolean;
  readonly includeUsage: boolean;
  /** Undefined: as much as fits, up to {@link ANSWER_TOKENS_DEFAULT}. */
  readonly answerTokensMax: number | undefined;
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  readonly minP: number;
  readonly seed: number | undefined;
  readonly stop: readonly string[];
  readonly stopTokenIds: readonly number[];
  readonly controls: Controls;
  /** Answers to one prompt, each of its own seed. */
  readonly choiceCount: number;
  /** Parameters that changed nothing. */
  readonly ignored: readonly string[];
};

/** Greedy unless asked otherwise: an answer that anybody can re-compute should also be repeatable. */
export const TEMPERATURE_DEFAULT = 0;

/** Answer length when the client names none; bounds what a stray request can cost. */
export const ANSWER_TOKENS_DEFAULT = 512;

/** Answers per request: each is a job of its own, with a lane and a place in the provider's queue. */
const CHOICES_MAX = 16;

/** Stop ids that a client may add to those of the model. */
const STOP_TOKEN_IDS_MAX = STOP_IDS_MAX / 2;

/** As OpenAI: at most four stop strings. */
const STOP_STRINGS_MAX = 4;
const STOP_STRING_LENGTH_MAX = 256;
const MESSAGES_MAX = 1_024;

const ROLES = new Set(['system', 'developer', 'user', 'assistant']);

const KNOWN: ReadonlySet<string> = new Set([
  'model',
  'messages',
  'stream',
  'stream_options',
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'top_k',
  'min_p',
  'seed',
  'stop',
  'stop_token_ids',
  'n',
  ...CONTROL_PARAMETERS,
]);

/** Text of a message: a string, or parts of type text. */
function content(value: unknown, param: string): string {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) throw wrong(param, 'a string or a list of text parts', value);
  return value
    .map((part, index) => {
      const { type, text } = record(part, `${param}[${index}]`);
      if (type !== 'text' || typeof text !== 'string')
        throw wrong(
          `${param}[${index}]`,
          'a part of type text: the models here read text only',
          type,
        );
      return text;
    })
    .join('');
}

function message(value: unknown, index: number): ChatMessage {
  const body = record(value, `messages[${index}]`);
  const { role } = body;
  if (typeof role !== 'string' || !ROLES.has(role))
    throw wrong(`messages[${index}].role`, 'system, developer, user or assistant', role);
  return {
    role: role === 'developer' ? 'system' : (role as ChatMessage['role']),
    content: content(body.content, `messages[${index}].content`),
  };
}

function messages(body: Body): readonly ChatMessage[] {
  const list = body.messages;
  if (!Array.isArray(list) || list.length === 0 || list.length > MESSAGES_MAX)
    throw wrong('messages', `a list of 1 to ${MESSAGES_MAX} messages`, list);
  return list.map(message);
}

function stopStrings(body: Body): readonly string[] {
  const value = body.stop ?? [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.length > STOP_STRINGS_MAX)
    throw wrong('stop', `at most ${STOP_STRINGS_MAX} strings`, value);
  for (const item of list) {
    if (typeof item !== 'string' || item === '' || item.length > STOP_STRING_LENGTH_MAX)
      throw wrong('stop', `strings of 1 to ${STOP_STRING_LENGTH_MAX} characters`, item);
  }
  return list as string[];
}

/** Checks a parsed body; throws {@link ParameterError} naming the parameter. */
export function parseChatRequest(value: unknown): ChatRequest {
  const body = record(value, 'body');
  if (typeof body.model !== 'string' || body.model === '')
    throw wrong('model', 'the id of a model', body.model);
  const options = body.stream_options == null ? {} : record(body.stream_options, 'stream_options');
  return {
    model: body.model,
    messages: messages(body),
    stream: boolean(body, 'stream'),
    includeUsage: boolean(options, 'include_usage'),
    answerTokensMax:
      integer(body, 'max_completion_tokens', 1, 1_000_000) ??
      integer(body, 'max_tokens', 1, 1_000_000),
    temperature: number(body, 'temperature', { min: 0, max: 2, fallback: TEMPERATURE_DEFAULT }),
    topP: number(body, 'top_p', { min: 0, max: 1, fallback: 1 }),
    topK: integer(body, 'top_k', 0, 1_000_000) ?? 0,
    minP: number(body, 'min_p', { min: 0, max: 1, fallback: 0 }),
    seed: integer(body, 'seed', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    stop: stopStrings(body),
    stopTokenIds: tokenIds(body.stop_token_ids ?? [], 'stop_token_ids', STOP_TOKEN_IDS_MAX),
    controls: parseControls(body),
    choiceCount: integer(body, 'n', 1, CHOICES_MAX) ?? 1,
    ignored: Object.keys(body).filter((name) => !KNOWN.has(name)),
  };
}
