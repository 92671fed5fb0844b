/**
 * The page of a gateway that wants a key: a second gateway on the same chain, as a stranger would start it, and what a
 * visitor does there. The key must reach the gateway and nothing else.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { removeHome, temporaryHome } from '@assay/simulation';
import { chromium, type Locator, type Page } from 'playwright-core';

const CLI = createRequire(import.meta.url)
  .resolve('@assay/node/package.json')
  .replace(/package\.json$/, 'bin/assay.mjs');

const KEY = 'e2e-key-4b1d';
const ANSWER_TIMEOUT_MS = 120_000;

export type KeyVisitOptions = {
  /** The network that the gateway joins. */
  readonly network: { readonly home: string; readonly rpc: string };
  readonly executablePath: string;
  readonly pictures?: string;
  readonly log: (line: string) => void;
};

/** Throws with what it saw instead. */
export async function visitWithKey(options: KeyVisitOptions): Promise<void> {
  const home = temporaryHome();
  cpSync(join(options.network.home, 'deployments'), join(home, 'deployments'), { recursive: true });
  const gateway = await startGateway(home, options.network.rpc);
  const browser = await chromium.launch({
    executablePath: options.executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    const addresses: string[] = [];
    page.on('request', (request) => addresses.push(request.url()));
    await page.goto(gateway.url);
    await refusesOtherKeys(page, options.pictures);
    await answersWithKey(page);
    await keepsKeyInTabOnly(page, addresses);
    await forgetsKey(page);
    options.log('ok asks for the key of a gateway that wants one');
  } finally {
    await browser.close();
    gateway.process.kill('SIGKILL');
    removeHome(home);
  }
}

const dialog = (page: Page): Locator => page.getByRole('dialog', { name: 'wants a key' });

async function giveKey(page: Page, key: string): Promise<void> {
  await dialog(page).getByLabel('Key', { exact: true }).fill(key);
  await page.keyboard.press('Enter');
}

async function refusesOtherKeys(page: Page, pictures: string | undefined): Promise<void> {
  await dialog(page).waitFor();
  if (pictures !== undefined) await takePictures(page, pictures);
  await giveKey(page, 'two words');
  await dialog(page).getByText('without spaces').waitFor();
  await giveKey(page, 'not-the-key');
  await dialog(page).getByText('does not take this key').waitFor();
  await page.keyboard.press('Escape');
  await dialog(page).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Key for this gateway' }).click();
  await giveKey(page, KEY);
  await dialog(page).waitFor({ state: 'detached' });
}

/** Models, events, an answer, and the check in the page, whose worker fetches the model itself. */
async function answersWithKey(page: Page): Promise<void> {
  await page.locator('.header .link-live').waitFor();
  await page.getByLabel('Your question').fill('What is Assay?');
  await page.getByLabel('Your question').press('Enter');
  const exchange = page.locator('article.exchange').last();
  const ended = page.locator('article.exchange-done, article.exchange-failed');
  await ended.waitFor({ timeout: ANSWER_TIMEOUT_MS });
  assert.match(
    (await ended.getAttribute('class')) ?? '',
    /done/,
    (await ended.textContent()) ?? '',
  );
  await exchange.getByRole('button', { name: 'Receipt' }).click();
  await page.getByRole('button', { name: 'Check here, in this page' }).click();
  const verdict = page.getByText(/This page re-computed all \d+ tokens/);
  const notice = page.locator('.recomputation .notice, .verdict-different');
  await verdict.or(notice).first().waitFor({ timeout: ANSWER_TIMEOUT_MS });
  assert.equal(await notice.count(), 0, (await notice.allTextContents()).join(' '));
}

async function keepsKeyInTabOnly(page: Page, addresses: readonly string[]): Promise<void> {
  const kept = await page.evaluate(() => JSON.stringify({ ...localStorage }) + document.cookie);
  assert.ok(!kept.includes(KEY), 'the key is in no long-lived storage');
  assert.ok(!(await page.content()).includes(KEY), 'the key is not in the page');
  assert.ok(!addresses.some((address) => address.includes(KEY)), 'the key is in no address');
  await page.reload();
  await page.locator('.header .link-live').waitFor();
  assert.equal(await dialog(page).count(), 0, 'a reload keeps the key');
}

async function forgetsKey(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Key for this gateway' }).click();
  await dialog(page).getByRole('button', { name: 'Forget the key' }).click();
  await dialog(page).getByRole('button', { name: 'Use this key' }).waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
}

function startGateway(
  home: string,
  rpc: string,
): Promise<{ readonly process: ChildProcess; readonly url: string }> {
  const child = spawn(
    process.execPath,
    [CLI, 'gateway', '--home', home, '--rpc', rpc, '--port', '0'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ASSAY_API_KEY: KEY, ASSAY_LOG: 'error' },
    },
  );
  return new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error('the gateway with a key did not start')));
    createInterface({ input: child.stdout! }).once('line', (line) =>
      resolve({ process: child, url: (JSON.parse(line) as { url: string }).url }),
    );
  });
}

async function takePictures(page: Page, folder: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: `${folder}/key-wide-${colorScheme}.png` });
    await page.setViewportSize({ width: 390, height: 844 });
    await page.screenshot({ path: `${folder}/key-narrow-${colorScheme}.png` });
    await page.setViewportSize({ width: 1440, height: 900 });
  }
  await page.emulateMedia({ colorScheme: null });
}
