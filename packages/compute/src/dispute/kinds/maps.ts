/** Kinds of the MapJudge: elements that are made from a few others. */
import { decodeStep, TRACE_LEAF_ELEMENTS, traceFormulas } from '@assay/engine';
import { nodeOf, openRows } from '../access.js';
import { A16, isWrongClaim, isWrongElement, type Kind } from './claim.js';

export const MAP_KINDS = {
  ropeElement: {
    number: 0x20,
    isGuilty(scene) {
      const { access, head, index, t } = scene;
      const rows = openRows(scene);
      const [x, own] = [rows.input(0), rows.own()];
      const pair = head * own.layout.size + index - (index % 2);
      const leaf = x.elements(0, pair, pair + 2);
      const base = x.facts(0).numbers.exponent! - 30;
      const facts = own.facts(head);
      const mantissa = own.element(head, index);
      const step = decodeStep(access.weightLeaf(1), index >> 1);
      const at = pair % TRACE_LEAF_ELEMENTS;
      const phase = traceFormulas.ropePhase(step, t);
      const value = traceFormulas.ropeElement(leaf[at]!, leaf[at + 1]!, phase, index % 2 === 1);
      return isWrongElement(value, { base, ...A16 }, { mantissa, index, facts });
    },
  },
  splitElement: {
    number: 0x21,
    isGuilty(scene) {
      const { head, index } = scene;
      const rows = openRows(scene);
      const [x, own] = [rows.input(0), rows.own()];
      const value = BigInt(x.element(0, head * own.layout.size + index));
      const base = x.facts(0).numbers.exponent!;
      const facts = own.facts(head);
      const mantissa = own.element(head, index);
      return isWrongElement(value, { base, ...A16 }, { mantissa, index, facts });
    },
  },
  swiGluElement: {
    number: 0x22,
    isGuilty(scene) {
      const { index } = scene;
      const rows = openRows(scene);
      const [gateRow, upRow, own] = [rows.input(0), rows.input(1), rows.own()];
      const gate = gateRow.element(0, index);
      const gateExponent = gateRow.facts(0).numbers.exponent!;
      const up = upRow.element(0, index);
      const base = upRow.facts(0).numbers.exponent! - 16;
      const facts = own.facts(0);
      const mantissa = own.element(0, index);
      const value = traceFormulas.swiGluElement(gate, gateExponent, up);
      return isWrongElement(value, { base, ...A16 }, { mantissa, index, facts });
    },
  },
  residualElement: {
    number: 0x23,
    isGuilty(scene) {
      const { index } = scene;
      const rows = openRows(scene);
      const added = rows.input(1);
      const residual = rows.input(0).element(0, index);
      const y = added.element(0, index);
      const shift = -nodeOf(scene).parameters.residualBits! - added.facts(0).numbers.exponent!;
      const claimed = rows.own().element(0, index);
      return traceFormulas.residualElement(residual, y, shift) !== BigInt(claimed);
    },
  },
  logitElement: {
    number: 0x24,
    isGuilty(scene) {
      const { index } = scene;
      const rows = openRows(scene);
      const x = rows.input(0);
      const y = x.element(0, index);
      const exponent = x.facts(0).numbers.exponent!;
      const claimed = rows.own().element(0, index);
      return traceFormulas.logitElement(y, exponent) !== BigInt(claimed);
    },
  },
  joinElement: {
    number: 0x25,
    isGuilty(scene) {
      const { index } = scene;
      const rows = openRows(scene);
      const [mixed, weights, own] = [rows.input(0), rows.input(1), rows.own()];
      const { size } = mixed.layout;
      const head = Math.floor(index / size);
      const element = mixed.element(head, index % size);
      const exponent = mixed.facts(head).numbers.exponent!;
      const sum = totalOf(weights.facts(head).sums);
      const facts = own.facts(0);
      const mantissa = own.element(0, index);
      const base = facts.numbers.top!;
      const value = traceFormulas.joinElement(element, { exponent, sum, top: base });
      return isWrongElement(value, { base, ...A16 }, { mantissa, index, facts });
    },
  },
  joinTop: {
    number: 0x26,
    isGuilty(scene) {
      const { head } = scene;
      const rows = openRows(scene);
      const { exponent } = rows.input(0).facts(head).numbers;
      const sum = totalOf(rows.input(1).facts(head).sums);
      const { top, topHead } = rows.own().facts(0).numbers;
      const aligned = exponent! + traceFormulas.inverseSum(sum).exponent;
      return isWrongClaim(head, topHead!, (asWitness) =>
        asWitness ? aligned === top : aligned <= top!,
      );
    },
  },
} as const satisfies Readonly<Record<string, Kind>>;

const totalOf = (sums: readonly bigint[]): bigint => sums.reduce((sum, part) => sum + part, 0n);
