/** States of a case in words; phases are states in which the court waits for a move. */
const STATE_WORDS: Readonly<Record<string, string>> = {
  answering: 'the provider must answer',
  revealing: 'the provider must show more',
  showing: 'the provider must show the number',
  choosing: 'the challenger must point',
  proving: 'the challenger must prove',
  convicted: 'guilty',
  paid: 'guilty, paid',
  dismissed: 'dismissed',
};

export const stateWords = (state: string): string => STATE_WORDS[state] ?? state;
