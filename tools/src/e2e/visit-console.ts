/**
 * The page in a real Chromium against a real network: what a visitor does, in order. It knows
 * nothing of how the network was started; the caller gives an address and a browser. Every step
 * throws with what it saw instead.
 */
import assert from 'node:assert/strict';
import { cpus } from 'node:os';
import { type Browser, chromium, type Locator, type Page } from 'playwright-core';

export type ConsoleE2eOptions = {
  /** Address of a running gateway, such as `http://127.0.0.1:8787`. */
  readonly url: string;
  readonly executablePath: string;
  /**
   * Folder for pictures of the page (wide and narrow, light and dark); none are taken without it.
   */
  readonly pictures?: string;
  readonly log?: (line: string) => void;
};

export type ConsoleE2eReport = {
  readonly steps: readonly { readonly name: string; readonly seconds: number }[];
};

/** An answer, or its re-computation, on a slow machine that runs everything at once. */
const ANSWER_TIMEOUT_MS = 120_000;

/**
 * A small model answers within one frame of the screen; over a line this slow its answer takes a second, and a page
 * that showed only whole answers would be found out.
 */
const SLOW_BYTES_PER_SECOND = 12_000;
const UNLIMITED = -1;

/** Tries at stopping an answer before it ends by itself. */
const STOP_TRIES_MAX = 4;

const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking'];
const PRICE = /\$\d+\.\d{2,6}/;

type Visit = {
  readonly page: Page;
  readonly url: string;
  readonly browser: Browser;
  readonly pictures: string | undefined;
  readonly setDownload: SetDownload;
};
type Step = readonly [name: string, run: (visit: Visit) => Promise<void>];

const STEPS: readonly Step[] = [
  ['opens and names the model', opens],
  ['streams an answer', streams],
  ['shows marks and price of the receipt', showsPrice],
  ['opens the receipt', opensReceipt],
  ['checks with the verifier', checksWithVerifier],
  ['checks in the page, and again from what it kept', checksInPage],
  ['keeps a conversation of several turns', asksAgain],
  ['stops an answer and shows what it cost', stops],
  ['shows the network as it moves', showsNetwork],
  ['shows a receipt by its id, and says when there is none', showsReceipt],
  ['shows audits of the network, and of a receipt', showsAudits],
  ['works by keyboard alone', worksByKeyboard],
  ['fits a narrow screen', fitsNarrow],
  ['says when the gateway is away, and comes back', survivesOffline],
];

/** Runs every step; throws at the first that fails, or when the page logged an error. */
export async function runConsoleE2e(options: ConsoleE2eOptions): Promise<ConsoleE2eReport> {
  const { url, executablePath, pictures, log = () => undefined } = options;
  const browser = await chromium.launch({ executablePath, args: ARGUMENTS });
  const steps: { name: string; seconds: number }[] = [];
  try {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    const errors = collectErrors(page);
    const setDownload = await downloadControl(page);
    const visit: Visit = { page, url: url.replace(/\/$/, ''), browser, pictures, setDownload };
    for (const [name, run] of STEPS) {
      const startMs = performance.now();
      await run(visit).catch((cause: unknown) => {
        throw new Error(`the page failed at "${name}": ${String(cause)}`, { cause });
      });
      assert.deepEqual(errors, [], `the page logged errors at "${name}"`);
      const seconds = (performance.now() - startMs) / 1000;
      steps.push({ name, seconds });
      log(`ok ${name} (${seconds.toFixed(1)} s)`);
    }
    return { steps };
  } finally {
    await browser.close();
  }
}

/**
 * Exceptions and refusals of the CSP; failed loads are the business of the steps that provoke them.
 */
function collectErrors(page: Page): string[] {
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() !== 'error' || message.text().startsWith('Failed to load resource')) return;
    errors.push(message.text());
  });
  return errors;
}

const question = (page: Page): Locator => page.getByLabel('Your question');
const lastExchange = (page: Page): Locator => page.locator('article.exchange').last();
const lastAnswer = (page: Page): Locator => lastExchange(page).locator('.answer');
const certificate = (page: Page): Locator => page.getByRole('region', { name: 'Receipt' }).last();

async function opens({ page, url, pictures }: Visit): Promise<void> {
  const response = await page.goto(url);
  assert.equal(response?.status(), 200);
  const policy = response?.headers()['content-security-policy'] ?? '';
  assert.match(policy, /default-src 'self'/, 'the page is served with a CSP');
  await page.getByRole('heading', { name: 'Ask a model' }).waitFor();
  const { data } = await readJson<{ data: { id: string }[] }>(page, '/v1/models');
  assert.ok(data.length > 0, 'the network offers a model');
  await page.locator('.composer-model b, .composer-model select').waitFor();
  await takePictures(page, pictures, 'welcome');
}

async function streams({ page, setDownload }: Visit): Promise<void> {
  const lengths = await page.evaluateHandle(watchAnswer);
  await setDownload(SLOW_BYTES_PER_SECOND);
  await question(page).fill('What is Assay?');
  await question(page).press('Enter');
  await page.getByRole('button', { name: 'Stop' }).waitFor();
  await ends(page, 'done');
  await setDownload(UNLIMITED);
  const seen = await lengths.evaluate((found) => [...found]);
  assert.ok(seen.length >= 3, `text arrived in pieces, seen lengths ${seen}`);
  assert.equal(await question(page).evaluate((node) => node === document.activeElement), true);
}

/**
 * Runs in the page: notes every length that the newest answer has, as a slow outside look would
 * miss some.
 */
function watchAnswer(): Set<number> {
  const lengths = new Set<number>();
  const note = (): void => {
    const length = [...document.querySelectorAll('.answer')].at(-1)?.textContent?.length ?? 0;
    if (length > 0) lengths.add(length);
  };
  new MutationObserver(note).observe(document.body, {
    subtree: true,
    childList: true,
    characterData: true,
  });
  return lengths;
}

async function showsPrice({ page, pictures }: Visit): Promise<void> {
  const marks = lastExchange(page).getByRole('list', { name: 'Marks of this answer' });
  await marks.waitFor();
  const text = await textOf(marks);
  const shown = PRICE.exec(text)?.[0];
  const { envelope } = await readReceipt(page);
  assert.equal(toAtomic(shown), BigInt(envelope.receipt.price), `the price is in ${text}`);
  assert.match(text, new RegExp(`${envelope.job.inputCount} → ${envelope.receipt.outputCount}`));
  assert.match(await textOf(page.locator('.spent')), PRICE);
  await takePictures(page, pictures, 'answer');
}

async function opensReceipt({ page }: Visit): Promise<void> {
  await lastExchange(page).getByRole('button', { name: 'Receipt' }).click();
  await certificate(page).waitFor();
  const text = await textOf(certificate(page));
  for (const label of ['Job', 'Model', 'Provider', "Provider's signature", 'Price']) {
    assert.ok(text.includes(label), `the receipt shows ${label}`);
  }
  assert.ok(!text.includes('so the price is wrong'), 'the price adds up');
}

async function checksWithVerifier({ page }: Visit): Promise<void> {
  const answered = page.waitForResponse(
    (response) => response.url().endsWith('/check') && response.request().method() === 'POST',
    { timeout: ANSWER_TIMEOUT_MS },
  );
  await certificate(page).getByRole('button', { name: 'Check with the verifier' }).click();
  assert.equal(((await (await answered).json()) as { result: string }).result, 'identical');
  await certificate(page).getByText('Identical.').waitFor();
  await lastExchange(page).locator('.hallmark .mark-identical').waitFor();
}

async function checksInPage({ page, pictures }: Visit): Promise<void> {
  const loaded = await page.evaluate(() =>
    performance.getEntriesByType('resource').map((r) => r.name),
  );
  assert.ok(
    !loaded.some((name) => name.includes('check.worker')),
    'the engine is not loaded before',
  );
  const button = certificate(page).getByRole('button', { name: 'Check here, in this page' });
  await button.click();
  const verdict = certificate(page).getByText(/This page re-computed all \d+ tokens/);
  const notice = certificate(page).locator('.recomputation .notice, .verdict-different');
  await verdict.or(notice).first().waitFor({ timeout: ANSWER_TIMEOUT_MS });
  assert.equal(await notice.count(), 0, (await notice.allTextContents()).join(' '));
  await verdict.waitFor();
  assert.equal(await certificate(page).locator('.step-done').count(), 4, 'every step is done');
  const isolated = await page.evaluate(() => globalThis.crossOriginIsolated);
  assert.ok(isolated, 'the page may share memory among threads');
  if (cpus().length > 1)
    await certificate(page)
      .getByText(/on \d threads/)
      .waitFor();
  await certificate(page).getByText('is the text of these tokens').waitFor();
  await takePictures(page, pictures, 'receipt');
  await button.click();
  await certificate(page).getByText('still open from the last check').waitFor();
  await page.locator('.step-done').nth(3).waitFor({ timeout: ANSWER_TIMEOUT_MS });
}

async function asksAgain({ page }: Visit): Promise<void> {
  const asked = page.waitForRequest((request) => request.url().endsWith('/v1/chat/completions'));
  await question(page).fill('What is a receipt?');
  await question(page).press('Enter');
  const body = (await asked).postDataJSON() as { messages: { role: string }[] };
  assert.deepEqual(
    body.messages.map(({ role }) => role),
    ['user', 'assistant', 'user'],
  );
  await ends(page, 'done');
}

async function stops({ page, setDownload }: Visit): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    // First a stop that the provider notices; if it was too fast for that, one that only the page notices.
    if (attempt > 1) await setDownload(SLOW_BYTES_PER_SECOND);
    await question(page).fill('Tell me everything about Assay, at length, from the beginning.');
    await question(page).press('Enter');
    await until(ANSWER_TIMEOUT_MS, 'the first text', async () => {
      return (await textOf(lastAnswer(page))) !== '';
    });
    await page.keyboard.press('Escape');
    const state = await until(10_000, 'an end', () => stateOf(page));
    if (state === 'stopped') break;
    assert.ok(attempt < STOP_TRIES_MAX, 'an answer could be stopped before it ended by itself');
  }
  await setDownload(UNLIMITED);
  const shown = await textOf(lastAnswer(page));
  await lastExchange(page).locator('.hallmark').getByText(PRICE).waitFor({ timeout: 20_000 });
  assert.equal(await textOf(lastAnswer(page)), shown, 'nothing is added after the stop');
  await page.getByRole('button', { name: 'Ask', exact: true }).waitFor();
}

async function showsNetwork({ page, pictures }: Visit): Promise<void> {
  await page
    .getByRole('navigation', { name: 'Views' })
    .getByRole('link', { name: 'Network' })
    .click();
  await page.getByRole('heading', { name: 'The network' }).waitFor();
  await page.locator('.network .link-live').first().waitFor();
  assert.ok((await page.locator('.provider').count()) >= 1, 'a provider is listed');
  const before = await page.locator('.ledger-row').count();
  assert.ok(before >= 3, `the requests so far are listed, found ${before}`);
  const answer = await page.evaluate(askPlainly);
  await page.locator(`.ledger-row[href$="${answer.receipt.id}"]`).waitFor({ timeout: 20_000 });
  const { requests } = await readJson<{ requests: { count: number } }>(page, '/v1/network');
  await page
    .locator('.figures dd', { hasText: String(requests.count) })
    .first()
    .waitFor();
  await takePictures(page, pictures, 'network');
}

/** Runs in the page: a request beside the chat, as any other client of the network would make. */
async function askPlainly(): Promise<{ receipt: { id: string } }> {
  const models = (await (await fetch('/v1/models')).json()) as { data: { id: string }[] };
  const messages = [{ role: 'user', content: 'Hello' }];
  const response = await fetch('/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: models.data[0]?.id, messages, max_tokens: 24 }),
  });
  return (await response.json()) as { receipt: { id: string } };
}

async function showsReceipt({ page, url }: Visit): Promise<void> {
  await page.locator('.ledger-row').first().click();
  await certificate(page).waitFor();
  await page.goto(`${url}/#/receipts/0x${'00'.repeat(32)}`);
  await page.getByRole('alert').waitFor();
  await page.getByLabel('Receipt id').fill('0x12');
  await page.getByRole('button', { name: 'Show' }).click();
  assert.equal(await page.getByLabel('Receipt id').getAttribute('aria-invalid'), 'true');
  await page.goto(`${url}/#/`);
}

/** Receipts are drawn some seconds after they were posted, and reports stay sealed for a while. */
async function showsAudits({ page, url, pictures }: Visit): Promise<void> {
  type Answer = { audits: { jobId: string | null; reports: { outcome: string | null }[] }[] };
  const told = await until(ANSWER_TIMEOUT_MS, 'an audit that is settled', async () => {
    const { audits } = await readJson<Answer>(page, '/v1/audits');
    return audits.find(({ reports }) => reports.some(({ outcome }) => outcome === 'paid'));
  });
  await page.goto(`${url}/#/network`);
  const row = page.locator(`.audit-list a[href$="${told.jobId}"]`);
  await row.waitFor({ timeout: ANSWER_TIMEOUT_MS });
  await takePictures(page, pictures, 'audits');
  await row.click();
  await certificate(page)
    .getByText(/Audited by \d+ verifiers?( with \d+ seats)?: right/)
    .waitFor();
  await takePictures(page, pictures, 'audited');
  await page.goto(`${url}/#/`);
}

/** No pointer from here on: everything is reached with Tab, Enter and Escape. */
async function worksByKeyboard({ browser, url }: Visit): Promise<void> {
  const context = await browser.newContext({ viewport: { width: 1200, height: 800 } });
  const page = await context.newPage();
  await page.goto(url);
  await page.locator('.composer-model b, .composer-model select').waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await focusedText(page), 'Skip to content');
  await page.keyboard.press('Enter');
  await tabTo(page, '#question');
  await page.keyboard.type('Hello.');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('Who are you?');
  assert.equal(await question(page).inputValue(), 'Hello.\nWho are you?');
  await page.keyboard.press('Enter');
  await ends(page, 'done');
  await page.keyboard.press('Shift+Tab');
  const opener = lastExchange(page).getByRole('button', { name: 'Receipt' });
  assert.equal(await opener.evaluate((node) => node === document.activeElement), true);
  const outline = await opener.evaluate((node) => getComputedStyle(node).outlineStyle);
  assert.equal(outline, 'solid', 'the focus is visible');
  await page.keyboard.press('Enter');
  await certificate(page).waitFor();
  await context.close();
}

async function fitsNarrow({ browser, url, page: wide }: Visit): Promise<void> {
  const storageState = await wide.context().storageState();
  const context = await browser.newContext({
    viewport: { width: 360, height: 740 },
    storageState,
    reducedMotion: 'reduce',
    colorScheme: 'dark',
  });
  const page = await context.newPage();
  for (const view of ['#/', '#/network', '#/receipts']) {
    await page.goto(`${url}/${view}`);
    await page.locator('main > *').first().waitFor();
    if (view === '#/') await page.getByRole('button', { name: 'Receipt' }).first().click();
    if (view === '#/network') await page.locator('.ledger-row').first().waitFor();
    await page.waitForTimeout(300);
    const excess = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(excess <= 0, `${view} is ${excess} px too wide`);
    const moving = await page.evaluate(() => document.getAnimations().length);
    assert.equal(moving, 0, 'nothing moves when less motion is asked for');
  }
  await context.close();
}

async function survivesOffline({ page }: Visit): Promise<void> {
  await page.reload();
  await page.locator('.header .link-live').waitFor();
  await page.route('**/v1/**', (route) => route.abort());
  await page.getByRole('link', { name: 'Network' }).first().click();
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await page.locator('.network .link-offline').first().waitFor({ timeout: 20_000 });
  assert.ok((await page.locator('.ledger-row').count()) > 0, 'what was known stays visible');
  await page.unroute('**/v1/**');
  await page.locator('.header .link-offline').waitFor({ state: 'detached', timeout: 20_000 });
}

const textOf = async (locator: Locator): Promise<string> => (await locator.textContent()) ?? '';

const stateOf = (page: Page): Promise<string | undefined> =>
  lastExchange(page).evaluate((node) => /exchange-(done|stopped|failed)/.exec(node.className)?.[1]);

async function ends(page: Page, expected: string): Promise<void> {
  const state = await until(ANSWER_TIMEOUT_MS, 'an end', () => stateOf(page));
  assert.equal(state, expected, await textOf(lastExchange(page)));
}

type SetDownload = (bytesPerSecond: number) => Promise<void>;

/** One session for all changes: the limits of two sessions add up, and the older one would stay. */
async function downloadControl(page: Page): Promise<SetDownload> {
  const session = await page.context().newCDPSession(page);
  return async (bytesPerSecond) => {
    await session.send('Network.emulateNetworkConditions', {
      offline: false,
      latency: 0,
      downloadThroughput: bytesPerSecond,
      uploadThroughput: UNLIMITED,
    });
  };
}

type EnvelopePart = {
  readonly job: { readonly inputCount: number };
  readonly receipt: { readonly price: string; readonly outputCount: number };
};

/** The newest receipt that the network lists, which is that of the last answer. */
async function readReceipt(page: Page): Promise<{ envelope: EnvelopePart }> {
  const { items } = await readJson<{ items: { jobId: string }[] }>(
    page,
    '/v1/network/activity?limit=1',
  );
  return readJson(page, `/v1/receipts/${items[0]?.jobId}`);
}

const readJson = async <T>(page: Page, path: string): Promise<T> =>
  (await page.evaluate(async (address) => (await fetch(address)).json(), path)) as T;

/** `$0.000021` as 21n. */
function toAtomic(amount: string | undefined): bigint {
  const [whole = '', fraction = ''] = (amount ?? '').replace('$', '').split('.');
  return BigInt(whole + fraction.padEnd(6, '0'));
}

async function until<T>(
  timeoutMs: number,
  what: string,
  look: () => Promise<T>,
): Promise<NonNullable<T>> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(performance.now() < endMs, `waited ${timeoutMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

const focusedText = (page: Page): Promise<string | null | undefined> =>
  page.evaluate(() => document.activeElement?.textContent);

async function tabTo(page: Page, selector: string): Promise<void> {
  for (let presses = 0; presses < 30; presses++) {
    await page.keyboard.press('Tab');
    if (await page.evaluate((css) => document.activeElement?.matches(css), selector)) return;
  }
  assert.fail(`${selector} cannot be reached with Tab`);
}

/** Wide and narrow, light and dark, of what is shown now. */
async function takePictures(page: Page, folder: string | undefined, name: string): Promise<void> {
  if (folder === undefined) return;
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    for (const [kind, width, height] of [
      ['wide', 1440, 900],
      ['narrow', 390, 844],
    ] as const) {
      await page.setViewportSize({ width, height });
      await page.waitForTimeout(300);
      await page.screenshot({ path: `${folder}/${name}-${kind}-${colorScheme}.png` });
    }
  }
  await page.emulateMedia({ colorScheme: null });
  await page.setViewportSize({ width: 1440, height: 900 });
}
