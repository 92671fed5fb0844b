/**
 * How the two sides of a dispute play it: an honest provider answers within a minute, a silent one never, a slow
 * challenger uses every walk, and whoever may call a time-out does. Turns are those of the shared table.
 */
import { sideToMove } from '@assay/compute';
import {
  convictOpened,
  type Dispute,
  type Job,
  moveDispute,
  openDispute,
  timeOut,
  upAt,
} from './court.js';
import { send, type World } from './world.js';

/** Seconds that somebody who is not in a hurry against anybody needs. */
const THINKING = 60;

export type Sides = {
  readonly providerAnswers: boolean;
  /** To prove what is wrong, to waste the other's time by every walk, or to do nothing once it is open. */
  readonly challenger: 'proves' | 'stalls' | 'idles';
};

export function dispute(world: World, job: Job, by: string, sides: Sides): void {
  let opened: Dispute;
  send(world, {
    by,
    gas: 'open',
    run: () => {
      opened = openDispute(world.chain, job, by);
    },
    after: () => takeTurn(world, opened, sides),
  });
}

/** The side to move does something, or nothing; the other one waits for the clock. */
function takeTurn(world: World, open: Dispute, sides: Sides): void {
  const { clock, chain } = world;
  if (open.phase === 'none') return;
  const side = sideToMove(open.phase)!;
  const [by, other] =
    side === 'provider'
      ? [open.job.provider, open.challenger]
      : [open.challenger, open.job.provider];
  const { movedAt } = open;
  clock.at(upAt(open) + 1, () => {
    if (open.phase === 'none' || open.movedAt !== movedAt) return;
    send(world, { by: other, gas: 'timeOut', run: () => timeOut(chain, open) });
  });
  const turn = turnOf(open, sides);
  if (turn === undefined) return;
  const after = () => takeTurn(world, open, sides);
  clock.at(clock.now() + THINKING, () => {
    if (turn === 'prove') {
      send(world, { by, gas: 'convict', run: () => convictOpened(chain, open) });
      return;
    }
    send(world, { by, gas: turn, run: () => moveDispute(chain, open, turn, by), after });
  });
}

function turnOf({ phase, walks, job }: Dispute, { providerAnswers, challenger }: Sides) {
  if (sideToMove(phase) === 'provider') {
    if (!providerAnswers) return undefined;
    return phase === 'answering' ? 'answer' : phase === 'revealing' ? 'reveal' : 'show';
  }
  if (challenger === 'idles') return undefined;
  if (phase === 'choosing') return 'choose';
  if (challenger === 'proves' && job.wrong) return 'prove';
  return walks > 0 ? 'again' : undefined;
}
