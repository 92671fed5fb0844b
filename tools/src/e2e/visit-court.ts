/**
 * The court as a visitor sees it. A provider that changes one number inside the model, and no token, answers a
 * question; somebody doubts it and runs `assay dispute open`; the page must then show where it was wrong, both numbers,
 * what was sent to the chain and where the money went. Network, lie, proof and conviction are real.
 */
import assert from 'node:assert/strict';
import {
  type Network,
  removeHome,
  startDishonestProvider,
  temporaryHome,
  untilOnline,
} from '@assay/simulation';
import { type Browser, chromium, type Locator, type Page } from 'playwright-core';

export type CourtVisitOptions = {
  readonly network: Network;
  readonly executablePath: string;
  readonly pictures?: string;
  readonly log: (line: string) => void;
};

/** A trace is computed on both sides, on a machine that runs everything at once. */
const LOOK_TIMEOUT_MS = 120_000;

/** Pixels: a link of one line, and its padding. */
const LINE_MAX = 50;

const VIEWS = [
  { kind: 'wide', width: 1280, height: 1000 },
  { kind: 'narrow', width: 360, height: 740 },
] as const;

type Opened = {
  readonly result: string;
  readonly jobId: string;
  readonly place: { readonly layer: number; readonly layerCount: number; readonly op: string };
  readonly expected: number;
  readonly found: number;
  readonly steps: readonly { readonly move: string; readonly gas: number }[];
  readonly verdict: { readonly state: string; readonly taken: string };
};

/** Throws with what it saw instead. */
export async function visitCourt(options: CourtVisitOptions): Promise<void> {
  const { network, executablePath, pictures, log } = options;
  const home = temporaryHome();
  const cheat = await startDishonestProvider({
    network,
    home,
    fault: 'flip-activation',
    position: 0,
  });
  let browser: Browser | undefined;
  try {
    await untilOnline(network, cheat.address);
    const opened = convict(network, cheat.address);
    browser = await chromium.launch({
      executablePath,
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
    });
    const page = await visitedCase(browser, network.url, opened);
    await showsCase(page, opened);
    await fitsEverywhere(page, pictures);
    await leavesByKeyboard(page);
    log('ok shows in court where a provider lied inside');
  } finally {
    await browser?.close();
    await cheat.stop();
    removeHome(home);
  }
}

/** Asks, sees that every token re-computes, and brings the receipt to court all the same. */
function convict(network: Network, cheat: string): Opened {
  const asked = network.assay('ask', 'What is a receipt?', '--max-tokens', '16', '--json');
  assert.equal(asked.status, 0, asked.stdout + asked.stderr);
  const { receipt, check } = JSON.parse(asked.stdout) as {
    receipt: string;
    check: { result: string };
  };
  assert.equal(check.result, 'identical', 'no token shows the lie');
  const shown = network.assay('receipt', 'show', receipt, '--json');
  const { envelope } = JSON.parse(shown.stdout) as { envelope: { job: { provider: string } } };
  assert.equal(envelope.job.provider, cheat.toLowerCase(), 'the cheat answered');
  const disputed = network.assay('dispute', 'open', receipt, '--json');
  assert.equal(disputed.status, 0, disputed.stdout + disputed.stderr);
  const opened = JSON.parse(disputed.stdout) as Opened;
  assert.equal(opened.result, 'convicted');
  assert.equal(opened.verdict.state, 'paid');
  assert.notEqual(opened.expected, opened.found);
  return opened;
}

/** With Tab and Enter alone: from the first view to the docket, and from there to the case. */
async function visitedCase(browser: Browser, url: string, { jobId }: Opened): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
  await page.goto(url);
  const link = page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Court' });
  await link.waitFor();
  await tabTo(page, link);
  await page.keyboard.press('Enter');
  const row = page.locator(`.docket a[href$="${jobId}"]`);
  await row.waitFor({ timeout: LOOK_TIMEOUT_MS });
  await tabTo(page, row);
  await page.keyboard.press('Enter');
  await page.getByRole('article', { name: 'Guilty: one number was wrong' }).waitFor();
  return page;
}

async function showsCase(page: Page, opened: Opened): Promise<void> {
  const sheet = page.getByRole('article', { name: 'Guilty: one number was wrong' });
  const { layer, layerCount, op } = opened.place;
  const strip = sheet.locator('.layers li');
  assert.equal(await strip.count(), layerCount + 2, 'a field per layer, and both ends');
  assert.deepEqual(await sheet.locator('.layers .wrong').allTextContents(), [String(layer + 1)]);
  assert.equal(await sheet.locator('.layers .right').count(), layer + 1, 'right up to there');
  await sheet.locator('.case-place').getByText(op, { exact: true }).waitFor();
  assert.equal(await numberIn(sheet, '.number-right dd'), opened.expected);
  assert.equal(await numberIn(sheet, '.number-wrong dd'), opened.found);
  const steps = (await sheet.locator('.steps li').allTextContents()).join('\n');
  for (const { move, gas } of opened.steps)
    assert.ok(digits(steps).includes(String(gas)), `the gas of ${move} in ${steps}`);
  const money = sheet.getByRole('region', { name: 'Where the money went' });
  for (const term of ['taken from the provider', 'back to the requester', 'to whoever proved it'])
    await money.getByText(term, { exact: true }).waitFor();
  const taken = (await money.locator('dd').first().textContent()) ?? '';
  assert.equal(toAtomic(taken), BigInt(opened.verdict.taken), `taken: ${taken}`);
}

/** Wide and as narrow as phones get, light and dark: nothing is cut off, nothing has to be moved sideways. */
async function fitsEverywhere(page: Page, pictures: string | undefined): Promise<void> {
  for (const { kind, width, height } of VIEWS) {
    await page.setViewportSize({ width, height });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.evaluate(() => scrollTo(0, 0));
      await page.waitForTimeout(300);
      const excess = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(excess <= 0, `the case is ${excess} px too wide (${kind})`);
      const cut = await page
        .locator('.layers li, .docket td, .numbers dd')
        .evaluateAll((nodes) =>
          nodes
            .filter((node) => node.scrollWidth > node.clientWidth + 1)
            .map((node) => node.textContent),
        );
      assert.deepEqual(cut, [], `cut off (${kind})`);
      const broken = await page
        .locator('.header nav a')
        .evaluateAll((nodes, most) => nodes.filter((node) => node.clientHeight > most), LINE_MAX);
      assert.equal(broken.length, 0, `the views keep their words whole (${kind})`);
      if (pictures !== undefined)
        await page.screenshot({
          path: `${pictures}/court-${kind}-${colorScheme}.png`,
          fullPage: true,
        });
    }
  }
}

/** The case leads to the receipt that it is about. */
async function leavesByKeyboard(page: Page): Promise<void> {
  const receipt = page.locator('.case header a');
  await tabTo(page, receipt);
  const outline = await receipt.evaluate((node) => getComputedStyle(node).outlineStyle);
  assert.equal(outline, 'solid', 'the focus is visible');
  await page.keyboard.press('Enter');
  await page.getByRole('region', { name: 'Receipt' }).last().waitFor();
}

/** Numbers may be written with separators and with a real minus. */
async function numberIn(sheet: Locator, css: string): Promise<number> {
  const text = (await sheet.locator(css).textContent()) ?? '';
  const value = Number(digits(text));
  return /^[-−]/.test(text.trim()) ? -value : value;
}

const digits = (text: string): string => text.replace(/[^\d\n]/g, '');

/** `$1.00` as 1000000n. */
function toAtomic(amount: string): bigint {
  const [whole = '', fraction = ''] = amount.replace(/[$,\s]/g, '').split('.');
  return BigInt(whole + fraction.padEnd(6, '0'));
}

const TABS_MAX = 60;

async function tabTo(page: Page, goal: Locator): Promise<void> {
  for (let presses = 0; presses < TABS_MAX; presses++) {
    if (await goal.evaluate((node) => node === document.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`${goal.toString()} cannot be reached with Tab`);
}
