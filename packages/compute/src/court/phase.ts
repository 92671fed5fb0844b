/**
 * Phases of a dispute and the moves between them: the table of `vectors/court/states.json`, which the court's contract
 * is held to as well. It says who may do what; what a move costs or proves is known elsewhere.
 */

/** In the order of the contract's enum. */
export const PHASES = ['none', 'answering', 'revealing', 'choosing', 'showing', 'proving'] as const;
export type Phase = (typeof PHASES)[number];

export type Side = 'provider' | 'challenger';
export type Move = {
  readonly move:
    | 'open'
    | 'answer'
    | 'reveal'
    | 'choose'
    | 'show'
    | 'again'
    | 'convictOpened'
    | 'timeOut';
  readonly from: readonly Phase[];
  readonly by: Side | 'anyone';
  readonly to: readonly Phase[];
};

export const MOVES: readonly Move[] = [
  { move: 'open', from: ['none'], by: 'challenger', to: ['answering'] },
  { move: 'answer', from: ['answering'], by: 'provider', to: ['choosing'] },
  { move: 'reveal', from: ['revealing'], by: 'provider', to: ['choosing'] },
  { move: 'choose', from: ['choosing'], by: 'challenger', to: ['revealing', 'showing'] },
  { move: 'show', from: ['showing'], by: 'provider', to: ['proving'] },
  { move: 'again', from: ['proving'], by: 'challenger', to: ['revealing'] },
  {
    move: 'convictOpened',
    from: ['revealing', 'choosing', 'showing', 'proving'],
    by: 'anyone',
    to: ['none'],
  },
  {
    move: 'timeOut',
    from: ['answering', 'revealing', 'choosing', 'showing', 'proving'],
    by: 'anyone',
    to: ['none'],
  },
];

/** Whose clock runs; nobody's before a dispute is open. */
export function sideToMove(phase: Phase): Side | undefined {
  const own = MOVES.find(({ from, by }) => by !== 'anyone' && from.includes(phase));
  return phase === 'none' ? undefined : (own?.by as Side | undefined);
}
