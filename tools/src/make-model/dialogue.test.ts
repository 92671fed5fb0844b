/** Seeds: 1, 2, 2026. */

import { describe, expect, it } from 'vitest';
import { createDialogue, heldOutProbes, unseenProbes } from './dialogue.js';
import { readText } from './fixture.js';
import { createRandom } from './random.js';
import { bareLetters } from './text.js';

const phrasebook = readText();

describe('the text', () => {
  it('has answers in whole sentences that fit on a line of plain ASCII', () => {
    for (const { name, answers, more } of phrasebook.intents) {
      for (const answer of [...answers, ...more]) {
        expect(answer, name).toMatch(/^[A-Za-z][\x20-\x7e]*[.!?]$/);
      }
    }
  });

  it('has at least 250 intents, each with a phrasing that is only for the evaluation', () => {
    expect(phrasebook.intents.length).toBeGreaterThanOrEqual(250);
    for (const { name, unseen } of phrasebook.intents) {
      expect(unseen.length, name).toBeGreaterThan(0);
    }
  });
});

describe('createDialogue', () => {
  const dialogues = Array.from({ length: 4_000 }, (_, index) =>
    createDialogue(phrasebook, createRandom(1, index)),
  );

  it('is a function of its seed', () => {
    expect(createDialogue(phrasebook, createRandom(1, 5))).toEqual(dialogues[5]);
    expect(createDialogue(phrasebook, createRandom(2, 5))).not.toEqual(dialogues[5]);
  });

  it('never asks what the evaluation asks', () => {
    const probes = [...unseenProbes(phrasebook, 2026), ...heldOutProbes(phrasebook, 2026)];
    const asked = new Set(probes.map((probe) => bareLetters(probe.question)));
    const typed = dialogues.flat().filter((message) => message.role === 'user');
    expect(typed.filter((message) => asked.has(bareLetters(message.content)))).toEqual([]);
  });

  it('fills every slot', () => {
    for (const message of dialogues.flat()) expect(message.content).not.toMatch(/[{}<>|]/);
  });
});
