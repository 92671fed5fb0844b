/** Kinds of the SamplingJudge: from logits to the token that was chosen. */
import {
  CUT_SUMS,
  type CutRow,
  claimedCuts,
  cutsAreRight,
  type FactRecord,
  isChosen,
  partialCutSums,
  SUM_ELEMENTS,
} from '@assay/engine';
import { fromHex, TOKENS_PER_LEAF } from '@assay/protocol';
import { openRows, type Scene } from '../access.js';
import { proofMalformed } from '../proof-malformed.js';
import { isWrongClaim, type Kind } from './claim.js';
import { tokenIn } from './linear.js';

/** What the facts of a row of logits claim. */
function cutRow({ numbers }: FactRecord, vocabularySize: number): CutRow {
  const { topId, topLogit, rankId, rankLogit, shareId, shareLogit } = numbers;
  return {
    vocabularySize,
    top: { id: topId!, logit: topLogit! },
    rankCut: { id: rankId!, logit: rankLogit! },
    shareCut: { id: shareId!, logit: shareLogit! },
  };
}

/** Sums of the cuts are unsigned. */
const unsigned = (sums: readonly bigint[]): bigint[] => sums.map((sum) => BigInt.asUintN(64, sum));

const cutsIn = (scene: Scene, vocabularySize: number) => claimedCuts(scene.job, vocabularySize);

export const SAMPLING_KINDS = {
  logitsTop: {
    number: 0x40,
    isGuilty(scene) {
      const own = openRows(scene).own();
      const logit = own.element(0, scene.index);
      const { topId, topLogit } = own.facts(0).numbers;
      return isWrongClaim(scene.index, topId!, (asWitness) =>
        asWitness ? logit === topLogit : logit <= topLogit!,
      );
    },
  },
  samplePartial: {
    number: 0x41,
    isGuilty(scene) {
      const { part, job } = scene;
      const own = openRows(scene).own();
      const first = part * SUM_ELEMENTS;
      const { size } = own.layout;
      const logits = own.elements(0, first, Math.min(size, first + SUM_ELEMENTS));
      const row = cutRow(own.facts(0), size);
      const claimed = unsigned(own.partials(part));
      const cuts = cutsIn(scene, size);
      const sums = partialCutSums(logits, first, { row, tau: job.sampler.tau, cuts });
      return sums.some((sum, i) => sum !== claimed[i]);
    },
  },
  sampleTotal: {
    number: 0x42,
    isGuilty(scene) {
      const own = openRows(scene).own();
      const parts = unsigned(own.allPartials());
      const { sums } = own.facts(0);
      return sums.some((claimed, i) => {
        const ofPart = parts.filter((_, at) => at % CUT_SUMS === i);
        return ofPart.reduce((total, sum) => total + sum, 0n) !== claimed;
      });
    },
  },
  sampleCuts: {
    number: 0x43,
    isGuilty(scene) {
      const own = openRows(scene).own();
      const facts = own.facts(0);
      const { size } = own.layout;
      const claim = { row: cutRow(facts, size), cuts: cutsIn(scene, size) };
      return !cutsAreRight(scene.job.sampler, claim, facts.sums);
    },
  },
  /** `index` is the id of the cut, which the facts confirm: they stand after the element. */
  cutValue: {
    number: 0x44,
    isGuilty(scene) {
      const own = openRows(scene).own();
      const logit = own.element(0, scene.index);
      const { rankCut, shareCut } = cutRow(own.facts(0), own.layout.size);
      const [name, cut] =
        scene.part === 0 ? (['rank', rankCut] as const) : (['share', shareCut] as const);
      if (cut.id !== scene.index) throw proofMalformed('the cut is another token', cut.id);
      return cutsIn(scene, own.layout.size)[name] && logit !== cut.logit;
    },
  },
  token: {
    number: 0x45,
    isGuilty(scene) {
      const { access, job, sampler, t, index } = scene;
      const output = t - job.inputCount + 1;
      const own = openRows(scene).own();
      const leaf = access.tokenLeaf('output', Math.floor(output / TOKENS_PER_LEAF));
      const chosen = tokenIn(leaf, output);
      if (chosen >= own.layout.size) return true;
      const row = cutRow(own.facts(0), own.layout.size);
      const cuts = cutsIn(scene, own.layout.size);
      const tokens = {
        chosen: { id: chosen, logit: own.element(0, chosen) },
        other: { id: index, logit: own.element(0, index) },
      };
      const draw = { seed: fromHex(sampler.seed), position: t + 1 };
      return !isChosen(job.sampler, { row, cuts, ...draw }, tokens);
    },
  },
} as const satisfies Readonly<Record<string, Kind>>;
