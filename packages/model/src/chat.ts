/**
 * A conversation to token ids by the model's own template. Control ids come from the template's literals alone: there
 * they are replaced by marks of two noncharacters around the id before the template runs, and only marks become control
 * ids afterwards. Text of a message cannot hold a mark, so `<|im_end|>` typed by a person stays ten characters of text,
 * whatever the template does with it.
 */
import { type GgufMetadata, metadataString } from '@assay/engine';
import { AssayError } from '@assay/protocol';
import { modelError } from './errors.js';
import { MESSAGE_COUNT_MAX, TEXT_LENGTH_MAX } from './limits.js';
import { createSpecialFinder, type SpecialFinder, type TextPart } from './special-entries.js';
import { parseTemplate } from './template.js';
import type { Tokenizer } from './tokenizer.js';
import { ENTRY_TYPE } from './vocabulary.js';

/** Who speaks; templates put the word into the text, so it is not free. */
export const CHAT_ROLES = ['system', 'user', 'assistant', 'tool', 'developer'] as const;
export type ChatRole = (typeof CHAT_ROLES)[number];

export type ChatMessage = { readonly role: ChatRole; readonly content: string };

export type RenderOptions = {
  /** Whether the text ends where the assistant's answer begins; default true. */
  readonly addGenerationPrompt?: boolean;
};

/** The conversation format of one model. */
export type Chat = {
  /** The template as the file holds it; undefined if it has none. */
  readonly template: string | undefined;
  renderChat(messages: readonly ChatMessage[], options?: RenderOptions): number[];
};

const TEMPLATE_KEY = 'tokenizer.chat_template';

/** Noncharacters (Unicode 16, section 23.7): for internal use, never for interchange. */
const MARK_START = '\ufdd0';
const MARK_END = '\ufdd1';
const MARK = /\ufdd0(\d+)\ufdd1/gu;
const MARK_CHARACTERS = /[\ufdd0\ufdd1]/gu;

/**
 * The conversation format in `metadata`. The template is parsed on first use, so a file with a broken one still opens.
 *
 * @example
 * createChat(metadata, tokenizer).renderChat([{ role: 'user', content: 'Hello' }]);
 */
export function createChat(metadata: GgufMetadata, tokenizer: Tokenizer): Chat {
  const source = metadataString(metadata, TEMPLATE_KEY);
  const findControl = createSpecialFinder(tokenizer.vocabulary, [ENTRY_TYPE.control]);
  let ready: ((messages: readonly ChatMessage[], prompt: boolean) => string) | undefined;
  return {
    template: source,
    renderChat(messages, options = {}) {
      checkMessages(messages);
      ready ??= prepare({ source, tokenizer, findControl });
      return tokenizer.encodeParts(
        splitMarks(ready(messages, options.addGenerationPrompt ?? true)),
      );
    },
  };
}

type Preparation = {
  readonly source: string | undefined;
  readonly tokenizer: Tokenizer;
  readonly findControl: SpecialFinder;
};

function prepare(options: Preparation) {
  const { source, tokenizer, findControl } = options;
  if (source === undefined) {
    throw modelError({
      code: 'chat_template_missing',
      message: 'The model file has no chat template.',
    });
  }
  const mark = (text: string): string =>
    findControl(withoutMarks(text))
      .map((part) => ('id' in part ? markOf(part.id) : part.text))
      .join('');
  const template = parseTemplate(source, mark);
  const entryOf = (id: number | undefined): string =>
    id === undefined ? '' : mark(tokenizer.vocabulary.entries[id]!);
  const variables = {
    bos_token: entryOf(tokenizer.vocabulary.bosId),
    eos_token: entryOf(tokenizer.vocabulary.eosId),
  };
  const render = (messages: readonly ChatMessage[], prompt: boolean): string =>
    template.render({
      ...variables,
      add_generation_prompt: prompt,
      messages: messages.map(({ role, content }) => ({ role, content: withoutMarks(content) })),
    });
  probe({ render, findControl });
  return render;
}

/** Harmless conversations, of which at least one suits any template. */
const PROBES: readonly (readonly ChatMessage[])[] = [
  [
    { role: 'system', content: 'a' },
    { role: 'user', content: 'b' },
    { role: 'assistant', content: 'c' },
    { role: 'user', content: 'd' },
  ],
  [{ role: 'user', content: 'b' }],
];

/** A template that builds control entries from pieces (`'<|' + role + '|>'`) would silently yield text. */
function probe(options: {
  readonly render: (messages: readonly ChatMessage[], prompt: boolean) => string;
  readonly findControl: SpecialFinder;
}): void {
  for (const messages of PROBES) {
    const text = renderIfAccepted(() => options.render(messages, true));
    const built = splitMarks(text ?? '')
      .flatMap((part) => ('text' in part ? options.findControl(part.text) : []))
      .find((part) => 'id' in part);
    if (built !== undefined) {
      throw modelError({
        code: 'chat_template_unsupported',
        message: 'The chat template builds control tokens from pieces.',
      });
    }
  }
}

/** Undefined where the template refuses a probe: the real conversation will say so itself. Excess is reported. */
function renderIfAccepted(render: () => string): string | undefined {
  try {
    return render();
  } catch (error) {
    if (error instanceof AssayError && error.code === 'chat_template_too_costly') throw error;
    return undefined;
  }
}

const markOf = (id: number): string => `${MARK_START}${id}${MARK_END}`;

/** Noncharacters in outside text are replaced, so that no mark comes from outside. */
const withoutMarks = (text: string): string => text.replace(MARK_CHARACTERS, '\ufffd');

function splitMarks(text: string): TextPart[] {
  const parts: TextPart[] = [];
  let from = 0;
  for (const match of text.matchAll(MARK)) {
    if (match.index > from) parts.push({ text: text.slice(from, match.index) });
    parts.push({ id: Number(match[1]) });
    from = match.index + match[0].length;
  }
  if (from < text.length) parts.push({ text: text.slice(from) });
  return parts;
}

function checkMessages(messages: readonly ChatMessage[]): void {
  if (messages.length === 0 || messages.length > MESSAGE_COUNT_MAX) {
    throw modelError({
      code: 'chat_message_invalid',
      message: `A conversation has 1 to ${MESSAGE_COUNT_MAX} messages.`,
      value: messages.length,
    });
  }
  let length = 0;
  for (const { role, content } of messages) {
    if (!(CHAT_ROLES as readonly string[]).includes(role) || typeof content !== 'string') {
      throw modelError({
        code: 'chat_message_invalid',
        message: 'A message needs a known role and text.',
        value: role,
      });
    }
    length += content.length;
  }
  if (length > TEXT_LENGTH_MAX) {
    throw modelError({
      code: 'text_too_long',
      message: `The conversation has more than ${TEXT_LENGTH_MAX} UTF-16 units.`,
      value: length,
    });
  }
}
