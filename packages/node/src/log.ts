/** Structured logs on standard error; keys, prompts and answers never enter them. */
import { type Logger, pino } from 'pino';

export type { Logger };

/** A logger of one role. `ASSAY_LOG` sets the level (default info). */
export const createLog = (role: string): Logger =>
  pino({ name: role, level: process.env.ASSAY_LOG ?? 'info', base: { role } }, pino.destination(2));
