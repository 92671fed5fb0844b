/** What the page and its checking worker say to each other. */
import type { Network } from '@assay/compute';
import type { Failure } from '../conversation.js';

export type CheckRequest = {
  readonly type: 'check';
  readonly key: number;
  /**
   * Receipt envelope as the gateway sent it: JSON text, because amounts are parsed where they are
   * used.
   */
  readonly envelope: string;
  /** Chain and contract of the gateway's network. */
  readonly network: Network;
  readonly modelUrl: string;
  /** For fetching the model: a worker cannot read the tab's storage. */
  readonly apiKey: string | null;
};

/** In the order in which they happen. */
export const CHECK_STEPS = ['file', 'identity', 'evidence', 'execution'] as const;
export type CheckStep = (typeof CHECK_STEPS)[number];

export type CheckProgress = {
  readonly step: CheckStep;
  /** Share of the step that is done, 0 to 1. */
  readonly share: number;
  /** What this step found, in a few words. */
  readonly note?: string;
};

export type LocalVerdict = {
  readonly result: 'identical' | 'different' | 'invalid';
  readonly seconds: number;
  readonly tokenCount: number;
  /** The answer as its tokens read, whatever text was shown. */
  readonly text: string;
  /** What contradicts itself in an invalid receipt. */
  readonly reason?: string;
  readonly position?: number;
  readonly expected?: string;
  readonly found?: string;
};

export type CheckReply =
  | { readonly type: 'progress'; readonly key: number; readonly progress: CheckProgress }
  | { readonly type: 'verdict'; readonly key: number; readonly verdict: LocalVerdict }
  | { readonly type: 'failure'; readonly key: number; readonly failure: Failure };
