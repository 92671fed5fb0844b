/** Kinds of the FormJudge that speak about a trace: leaves, counts and salts that contradict their closed forms. */
import {
  claimedCuts,
  decodeFacts,
  leafBytes,
  positionSalt,
  type RowLayout,
  rowCount,
  rowLayout,
  tracePositions,
} from '@assay/engine';
import { sha256, TOKENS_PER_LEAF } from '@assay/protocol';
import { nodeOf, openRows, type Scene } from '../access.js';
import { sameBytes } from '../source.js';
import type { Kind } from './claim.js';

export const FORM_KINDS = {
  leafForm: {
    number: 0x01,
    isGuilty(scene) {
      const { part } = scene;
      const own = openRows(scene).own();
      const data = own.leaf(part);
      if (data.length !== leafBytes(own.layout, part)) return true;
      return part < own.layout.factLeaves && areFactsMalformed(scene, own.layout, data);
    },
  },
  rowCount: {
    number: 0x02,
    isGuilty({ access, t, node, graph, job }) {
      const { count } = access.rowSeal({ t, node }, access.position(t));
      return count !== rowLayout(graph, job, { t, node }).leafCount;
    },
  },
  positionCount: {
    number: 0x03,
    isGuilty({ access, t, graph, job }) {
      return access.positionSeal(access.position(t)).count !== rowCount(graph, job, t);
    },
  },
  traceCount: {
    number: 0x04,
    isGuilty: ({ access, job }) => access.traceSeal().count !== tracePositions(job),
  },
  salt: {
    number: 0x05,
    isGuilty({ access, t }) {
      const position = access.position(t);
      const salt = positionSalt(access.traceKey(), t, sha256);
      return !sameBytes(access.salt(position), salt);
    },
  },
  tokenForm: {
    number: 0x0c,
    isGuilty({ access, job, part }) {
      const leaf = access.tokenLeaf('output', part);
      const size = Math.min(TOKENS_PER_LEAF, job.outputCount - part * TOKENS_PER_LEAF);
      if (leaf.length !== 36 + 4 * size) return true;
      return new DataView(leaf.buffer, leaf.byteOffset).getUint32(32) !== part;
    },
  },
} as const satisfies Readonly<Record<string, Kind>>;

/** True if an index of the record lies outside its row, or a cut that is off is not zero. */
function areFactsMalformed(scene: Scene, layout: RowLayout, data: Uint8Array): boolean {
  const { numbers, sums } = decodeFacts(layout, data);
  const limits = {
    element: layout.size,
    position: scene.t + 1,
    head: headsOfInput(scene),
  };
  const isBeyond = layout.rule.facts.some(
    ({ name, bound }) => bound !== undefined && numbers[name]! >= limits[bound],
  );
  if (isBeyond || layout.rule.sums !== 'cuts') return isBeyond;
  const { rank, share } = claimedCuts(scene.job, layout.size);
  const { rankId, rankLogit, shareId, shareLogit } = numbers;
  if (!rank && (rankId !== 0 || rankLogit !== 0)) return true;
  if (!share && (shareId !== 0 || shareLogit !== 0)) return true;
  // With one cut on, sums of the other are judged by the totals of the parts.
  return !rank && !share && sums.some((sum) => sum !== 0n);
}

function headsOfInput(scene: Scene): number {
  const { shape } = scene.graph.tensors[nodeOf(scene).inputs[0]!]!;
  return shape.length === 3 ? (shape[1] as number) : 1;
}
