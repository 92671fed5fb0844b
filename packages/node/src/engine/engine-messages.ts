/** What passes between a role and the thread in which its engine runs. */
import type { Verdict } from '@assay/compute';
import type { Hex, Sampler } from '@assay/protocol';

/** Opened once, before any order. */
export type EngineSetup = {
  readonly modelPath: string;
  readonly threads: number;
  /** What guesses the next tokens: `lookup`, or the path of a model file of the same vocabulary. */
  readonly draft?: string | undefined;
};

export type EngineOrder =
  | {
      readonly kind: 'run';
      readonly id: number;
      readonly inputTokens: readonly number[];
      readonly outputCountMax: number;
      readonly sampler: Sampler;
      /** Bytes of `sampler.controls`, if it has any. */
      readonly controls?: Hex | undefined;
    }
  | { readonly kind: 'cancel'; readonly id: number }
  /** `envelope` is protocol JSON text: structured clones know no branded hex, and this checks its shape again. */
  | { readonly kind: 'verify'; readonly id: number; readonly envelope: string };

export type EngineReport =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'tokens';
      readonly id: number;
      readonly tokens: readonly number[];
      readonly detail?: Uint8Array;
      /** True if these are the last: no `end` follows then, because each report wakes the role's thread. */
      readonly ends?: boolean;
    }
  | { readonly kind: 'end'; readonly id: number }
  | { readonly kind: 'verdict'; readonly id: number; readonly verdict: Verdict }
  /** `id` is absent when the thread itself could not start. */
  | {
      readonly kind: 'failed';
      readonly id?: number;
      readonly code: string;
      readonly message: string;
    };
