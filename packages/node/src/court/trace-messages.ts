/** What a role and its trace thread say to each other; bytes travel as they are, big numbers as JSON of the wire. */
import type { CourtModel, ForcedTrace, LeafWanted } from '@assay/compute';
import type { PositionRoot } from '@assay/engine';
import type { Hex } from '@assay/protocol';

export type TraceSetup = { readonly modelPath: string };

/** A question about a trace, answered with bytes. */
export type TraceQuestion =
  | { readonly about: 'root' }
  | { readonly about: 'positions' }
  | { readonly about: 'rows'; readonly t: number }
  | { readonly about: 'leaves'; readonly t: number; readonly node: number };

export type TraceAnswer = Uint8Array | readonly PositionRoot[] | readonly Uint8Array[];

export type TraceOrder =
  | {
      readonly kind: 'ask';
      readonly id: number;
      readonly envelope: string;
      readonly question: TraceQuestion;
    }
  | { readonly kind: 'prosecute'; readonly id: number; readonly envelope: string }
  /** Looks for a proof in what the provider was made to show on chain. */
  | {
      readonly kind: 'force';
      readonly id: number;
      readonly envelope: string;
      readonly forced: Omit<ForcedTrace, 'own' | 'hash'>;
    }
  /** The answer to a question that the thread had about the provider's trace. */
  | { readonly kind: 'answer'; readonly to: number; readonly answer: TraceAnswer }
  | {
      readonly kind: 'unanswered';
      readonly to: number;
      readonly code: string;
      readonly message: string;
    };

/** A fraud as the court and people take it. */
export type Finding = {
  /** Kind of proof by name and by number. */
  readonly kind: string;
  readonly number: number;
  /** What the judge takes. */
  readonly data: Hex;
  /**
   * Where: position of the sequence, node of the graph with its op and layer, head and element of the row. Null if the
   * receipt alone contradicts its job.
   */
  readonly place: {
    readonly position: number;
    readonly node: number;
    readonly op: string;
    readonly layer: number | null;
    readonly layerCount: number;
    readonly head: number;
    readonly index: number;
  } | null;
  /** The stored integers of that element, if the kind is about one. */
  readonly expected: number | null;
  readonly found: number | null;
};

export type TraceReport =
  | { readonly kind: 'ready'; readonly model: CourtModel }
  | { readonly kind: 'answered'; readonly id: number; readonly answer: TraceAnswer }
  /** `finding` is missing if the provider's trace is right, or if `wanted` is what a proof still needs. */
  | {
      readonly kind: 'judged';
      readonly id: number;
      readonly finding?: Finding;
      readonly wanted?: LeafWanted['leaf'];
    }
  | {
      readonly kind: 'question';
      readonly id: number;
      readonly to: number;
      readonly question: TraceQuestion;
    }
  | {
      readonly kind: 'failed';
      readonly id?: number;
      readonly code: string;
      readonly message: string;
    };
