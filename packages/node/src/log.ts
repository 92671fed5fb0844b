/** Structured logs on standard error; keys, prompts and answers never enter them. */
import { type Logger, pino } from 'pino';

export type { Logger };

/** A logger of one role. `ASSAY_LOG` sets the level; commands that print what they do themselves log less. */
export const createLog = (role: string, level = 'info'): Logger =>
  pino({ name: role, level: process.env.ASSAY_LOG ?? level, base: { role } }, pino.destination(2));
