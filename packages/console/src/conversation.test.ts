import { describe, expect, it } from 'vitest';
import {
  applyEvent,
  type Conversation,
  type ConversationEvent,
  EXCHANGES_MAX,
  isRunning,
  jobOf,
  mergeCheck,
  newerHalf,
  restore,
  spentSoFar,
  toMessages,
} from './conversation.js';

const asked = (key: string): ConversationEvent => ({
  type: 'asked',
  key,
  question: `question ${key}`,
  model: 'm',
  nowMs: 1000,
});
const apply = (...events: readonly ConversationEvent[]): Conversation =>
  events.reduce<Conversation>(applyEvent, []);
const receipt = { id: '0xjob', price: '21', provider: '0x01', model: '0x02' };

describe('applyEvent', () => {
  it('goes from waiting over streaming to done', () => {
    const waiting = apply(asked('a'));
    expect(waiting[0]).toMatchObject({ state: 'waiting', answer: '' });
    const streaming = applyEvent(waiting, { type: 'text', key: 'a', text: 'Yes', nowMs: 1200 });
    expect(streaming[0]).toMatchObject({ state: 'streaming', answer: 'Yes', firstTextAtMs: 1200 });
    const done = applyEvent(streaming, { type: 'done', key: 'a', nowMs: 1500 });
    expect(done[0]).toMatchObject({ state: 'done', endedAtMs: 1500 });
  });

  it('keeps the time of the first text', () => {
    const [exchange] = apply(
      asked('a'),
      { type: 'text', key: 'a', text: 'x', nowMs: 1 },
      { type: 'text', key: 'a', text: 'y', nowMs: 2 },
    );
    expect(exchange).toMatchObject({ answer: 'xy', firstTextAtMs: 1 });
  });

  it('touches only the exchange it names', () => {
    const both = apply(asked('a'), asked('b'), { type: 'text', key: 'b', text: 'x', nowMs: 1 });
    expect(both.map((exchange) => exchange.answer)).toEqual(['', 'x']);
  });

  it('drops text that arrives after a stop, and a second end', () => {
    const [exchange] = apply(
      asked('a'),
      { type: 'stopped', key: 'a', nowMs: 2 },
      { type: 'text', key: 'a', text: 'late', nowMs: 3 },
      { type: 'done', key: 'a', nowMs: 4 },
    );
    expect(exchange).toMatchObject({ state: 'stopped', answer: '', endedAtMs: 2 });
  });

  it('takes a receipt after a stop: what was delivered is paid', () => {
    const [exchange] = apply(
      asked('a'),
      { type: 'stopped', key: 'a', nowMs: 2 },
      { type: 'receipt', key: 'a', receipt },
    );
    expect(exchange?.receipt).toEqual(receipt);
  });

  it('finds the exchange of a check by its job, from header or receipt', () => {
    const check = { result: 'identical' } as const;
    const fromHeader = apply(
      asked('a'),
      { type: 'accepted', key: 'a', jobId: '0xjob' },
      { type: 'checked', jobId: '0xjob', check },
    );
    expect(fromHeader[0]?.check).toEqual(check);
    const other = applyEvent(apply(asked('a')), { type: 'checked', jobId: '0xjob', check });
    expect(other[0]?.check).toBeUndefined();
  });

  it('keeps what failed and why', () => {
    const failure = { code: 'queue_full', message: 'Full.', remedy: 'Wait.' };
    const [exchange] = apply(asked('a'), { type: 'failed', key: 'a', failure, nowMs: 2 });
    expect(exchange).toMatchObject({ state: 'failed', failure });
  });

  it('keeps the newest exchanges and can be cleared', () => {
    const many = apply(...Array.from({ length: EXCHANGES_MAX + 3 }, (_, i) => asked(`${i}`)));
    expect(many).toHaveLength(EXCHANGES_MAX);
    expect(many[0]?.key).toBe('3');
    expect(applyEvent(many, { type: 'cleared' })).toEqual([]);
  });
});

describe('isRunning', () => {
  it('is true until an end', () => {
    expect(isRunning(apply(asked('a'))[0])).toBe(true);
    expect(isRunning(apply(asked('a'), { type: 'stopped', key: 'a', nowMs: 1 })[0])).toBe(false);
    expect(isRunning(undefined)).toBe(false);
  });
});

describe('jobOf', () => {
  it('prefers the receipt over the header', () => {
    const [exchange] = apply(
      asked('a'),
      { type: 'accepted', key: 'a', jobId: '0xheader' },
      { type: 'receipt', key: 'a', receipt },
    );
    expect(exchange && jobOf(exchange)).toBe('0xjob');
  });
});

describe('toMessages', () => {
  it('leaves out questions that got no answer', () => {
    const conversation = apply(
      asked('a'),
      { type: 'text', key: 'a', text: 'answer a', nowMs: 1 },
      { type: 'done', key: 'a', nowMs: 2 },
      asked('b'),
      { type: 'failed', key: 'b', failure: { code: 'x', message: 'y' }, nowMs: 3 },
    );
    expect(toMessages(conversation, 'next')).toEqual([
      { role: 'user', content: 'question a' },
      { role: 'assistant', content: 'answer a' },
      { role: 'user', content: 'next' },
    ]);
  });
});

describe('spentSoFar', () => {
  it('adds atomic units and skips what is no amount', () => {
    const conversation = apply(
      asked('a'),
      { type: 'receipt', key: 'a', receipt },
      asked('b'),
      { type: 'receipt', key: 'b', receipt: { ...receipt, price: '?' } },
      asked('c'),
      { type: 'receipt', key: 'c', receipt: { ...receipt, price: '9007199254740993' } },
    );
    expect(spentSoFar(conversation)).toBe(9007199254741014n);
  });
});

describe('mergeCheck', () => {
  const identical = { result: 'identical' } as const;
  const different = { result: 'different', position: 3 } as const;
  const unavailable = { result: 'unavailable' } as const;
  it('keeps a difference, whatever comes later', () => {
    expect(mergeCheck(different, identical)).toBe(different);
    expect(mergeCheck(identical, different)).toBe(different);
  });
  it('does not forget a verdict when a verifier is away', () => {
    expect(mergeCheck(identical, unavailable)).toBe(identical);
    expect(mergeCheck(undefined, unavailable)).toBe(unavailable);
    expect(mergeCheck(unavailable, identical)).toBe(identical);
  });
});

describe('newerHalf', () => {
  const answered = (key: string): ConversationEvent[] => [
    asked(key),
    { type: 'text', key, text: 'x', nowMs: 1 },
    { type: 'done', key, nowMs: 2 },
  ];
  it('gets shorter every time and ends empty', () => {
    let rest = apply(...answered('a'), ...answered('b'), ...answered('c'));
    const sizes: number[] = [];
    while (rest.length > 0) {
      rest = newerHalf(rest);
      sizes.push(rest.length);
    }
    expect(sizes).toEqual([1, 0]);
  });
});

describe('restore', () => {
  it('returns what was kept, without what was still running', () => {
    const kept = apply(asked('a'), { type: 'stopped', key: 'a', nowMs: 2 }, asked('b'));
    expect(restore(JSON.stringify(kept)).map(({ key }) => key)).toEqual(['a']);
  });
  it('reads anything else as none', () => {
    expect([null, '', '{', '{}', '7', '[1,null,{"key":1}]'].map(restore)).toEqual(
      Array(6).fill([]),
    );
  });
});
