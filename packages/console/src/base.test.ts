/**
 * The colours of `base.css` against WCAG 2.2: 1.4.3 for text (4.5:1), 1.4.11 for what must be seen
 * (3:1).
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const CSS = readFileSync(new URL('./base.css', import.meta.url), 'utf8');
const COLOURS = new Map(
  [...CSS.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)].map(
    ([, name, light, dark]) => [name, { light, dark }] as const,
  ),
);

type Pair = readonly [front: string, ground: string];

const TEXT: readonly Pair[] = [
  ...['ink', 'muted'].flatMap((text): Pair[] => [
    [text, 'paper'],
    [text, 'sheet'],
    [text, 'well'],
  ]),
  ...['red', 'verdigris', 'gold'].flatMap((text): Pair[] => [
    [text, 'paper'],
    [text, 'sheet'],
  ]),
  ['paper', 'ink'],
  ['on-verdigris', 'verdigris'],
  ['on-red', 'red'],
  ['on-punch', 'punch'],
];

const SHAPES: readonly Pair[] = [
  ['rule', 'paper'],
  ['rule', 'sheet'],
  ['streak', 'paper'],
  ['streak', 'sheet'],
];

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((start) => {
    const value = Number.parseInt(colour.slice(start, start + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(front: string | undefined, ground: string | undefined): number {
  const [light = 0, dark = 0] = [front, ground]
    .map((name) => luminance(name ?? '#000000'))
    .sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

describe.each(['light', 'dark'] as const)('colours, %s', (scheme) => {
  const of = (name: string | undefined): string | undefined => COLOURS.get(name ?? '')?.[scheme];

  it('knows every colour that it compares', () => {
    expect([...TEXT, ...SHAPES].flat().filter((name) => of(name) === undefined)).toEqual([]);
  });
  it.each(TEXT)('%s on %s can be read', (front, ground) => {
    expect(contrast(of(front), of(ground))).toBeGreaterThanOrEqual(4.5);
  });
  it.each(SHAPES)('%s on %s can be seen', (front, ground) => {
    expect(contrast(of(front), of(ground))).toBeGreaterThanOrEqual(3);
  });
});
