/** Names of the ways in which a demonstrated provider cheats, with a line about each. */
export const DEMO_FAULTS = {
  none: 'an honest provider, which nothing can convict',
  'flip-token': 'one token of the answer is another than the model chose',
  'flip-activation': 'one number inside the model is changed, and the trace is signed with it',
  'wrong-weights': 'another model runs than the one that was sold: some weights differ',
  'skip-layer': 'a layer of the model is left out to save time',
  'four-bit': 'weights are cut to four bits to save memory',
  'wrong-seed': 'tokens are drawn with another seed than the job says',
  'early-stop': 'the answer ends before the model ends it',
  stonewall: 'one number inside is changed, and the provider answers in court only',
  silent: 'one token is wrong, and the provider never answers for it',
} as const;

export type DemoFault = keyof typeof DEMO_FAULTS;
