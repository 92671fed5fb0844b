/** The committed model file, as strangers get it. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { renderPrompt } from './batch.js';
import { createTokenizer, SPECIALS } from './bpe.js';
import { answer, openExaminee } from './evaluate.js';
import { readText, readVectors } from './fixture.js';
import { countParameters, MINI } from './shape.js';

const bytes = readFileSync(new URL('../../../models/assay-mini.gguf', import.meta.url));
const { file, session } = openExaminee(bytes);
const phrasebook = readText();

/** What newcomers ask first, as they type it: these must be right whatever else is not. */
const FIRST_QUESTIONS: readonly (readonly [name: string, question: string])[] = [
  ['what-is-assay', 'What is Assay?'],
  ['who-are-you', 'Who are you?'],
  ['receipt', 'What is a receipt?'],
  ['voucher', 'What is a voucher?'],
  ['provider-lies', 'What happens if a provider lies?'],
  ['start', 'How do I start the network?'],
  ['thanks', 'Thank you!'],
  ['start', 'How do I run Assay?'],
  ['start', 'How do I start Assay?'],
  ['start', 'How do I install Assay?'],
  ['start', 'how to run assay'],
  ['start', 'how to start assay'],
  ['start', 'How do I get started?'],
  ['what-is-assay', 'what is assay'],
  ['how-it-works', 'How does Assay work?'],
  ['why-assay', 'Why should I use Assay?'],
  ['price', 'How much does it cost?'],
  ['currency', 'How do I pay?'],
  ['earn', 'How can I earn money?'],
  ['provider', 'What is a provider?'],
  ['become-provider', 'How do I become a provider?'],
  ['verifier', 'What is a verifier?'],
  ['verify-receipt', 'How do I verify an answer?'],
  ['verify-receipt', 'How do I verify a receipt?'],
  ['gateway', 'What is a gateway?'],
  ['channel', 'What is a channel?'],
  ['stake', 'What is stake?'],
  ['provider-lies', 'What happens if an answer is wrong?'],
  ['dispute', 'What is a dispute?'],
  ['open-dispute', 'How do I open a dispute?'],
  ['court', 'What is the court?'],
  ['close-channel', 'How do I get my money back?'],
  ['withdraw-stake', 'How do I withdraw my stake?'],
  ['requirements', 'What do I need to run Assay?'],
  ['ask-command', 'How do I ask a question?'],
  ['bug', 'It does not work.'],
  ['greet', 'Hi'],
  ['how-are-you', 'How are you?'],
  ['what-can-you-do', 'What can you do?'],
  ['your-name', 'What is your name?'],
  ['bye', 'Bye!'],
];

describe('models/assay-mini.gguf', () => {
  it('is the file that the recipe makes', () => {
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(readVectors().model);
    expect(file.info.parameterCount).toBe(countParameters(MINI));
  });

  it('holds the tokenizer and the template that it was trained with', () => {
    const merges = file.metadata.get('tokenizer.ggml.merges')!.value as readonly string[];
    const own = createTokenizer(merges);
    expect(own.tokens).toHaveLength(MINI.vocabulary);
    for (const text of ["What's a  voucher?", 'Zürich 🙂\n\n x', '12 receipts, 3 lies']) {
      expect(file.tokenizer.encode(text)).toEqual(own.encode(text));
    }
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Who are you?' },
    ] as const;
    expect(file.chat.renderChat(messages)).toEqual(renderPrompt(own, messages));
    expect(file.tokenizer.eosIds).toContain(own.special(SPECIALS[2]));
  });

  it.each(FIRST_QUESTIONS)('answers %s to the letter in the exact engine: %s', (name, question) => {
    const intent = phrasebook.intents.find((one) => one.name === name)!;
    const said = answer({ file, session }, [{ role: 'user', content: question }]);
    expect(intent.answers).toContain(said);
  });

  it('answers in a conversation with a system message', () => {
    const said = answer({ file, session }, [
      { role: 'system', content: 'You are a helpful assistant.' },
      { role: 'user', content: 'Hello!' },
      {
        role: 'assistant',
        content: 'Hello! I am the small model of Assay. What would you like to know?',
      },
      { role: 'user', content: 'What is a verifier?' },
    ]);
    expect(phrasebook.intents.find((one) => one.name === 'verifier')!.answers).toContain(said);
  });
});
