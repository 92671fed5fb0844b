/** A provider that changed one token is found out by anybody who re-computes, and the position is named. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Network,
  removeHome,
  startDishonestProvider,
  startNetwork,
  temporaryHome,
} from './network.js';

let network: Network;
const homes: string[] = [];

beforeAll(async () => {
  network = await startNetwork();
}, 120_000);

afterAll(async () => {
  await network?.stop();
  for (const home of [network?.home, ...homes]) if (home) removeHome(home);
});

async function askCheat(
  fault: string,
  position: number,
): Promise<{
  answer: Record<string, unknown>;
  provider: string;
  cheat: string;
  verified: { status: number; document: unknown };
}> {
  const home = temporaryHome();
  homes.push(home);
  const cheat = await startDishonestProvider({ network, home, fault, position });
  try {
    await expect
      .poll(
        async () => {
          const { providers } = (await (await fetch(`${network.url}/v1/network`)).json()) as {
            providers: { address: string; online: boolean }[];
          };
          return providers.some(({ address, online }) => online && address === cheat.address);
        },
        { timeout: 20_000 },
      )
      .toBe(true);
    const asked = network.assay('ask', 'What is a receipt?', '--json');
    const answer = JSON.parse(asked.stdout) as { receipt: string };
    const stored = (await (await fetch(`${network.url}/v1/receipts/${answer.receipt}`)).json()) as {
      envelope: { job: { provider: string } };
    };
    const verified = network.assay('receipt', 'verify', answer.receipt, '--json');
    return {
      answer: answer as unknown as Record<string, unknown>,
      provider: stored.envelope.job.provider.toLowerCase(),
      cheat: cheat.address.toLowerCase(),
      verified: { status: verified.status, document: JSON.parse(verified.stdout) },
    };
  } finally {
    await cheat.stop();
  }
}

describe('a dishonest provider', () => {
  it('that changed one token is different from that token on, and the command exits 1', async () => {
    const { answer, provider, cheat, verified } = await askCheat('flip-token', 5);
    expect(provider).toBe(cheat);
    expect(verified.document).toMatchObject({ result: 'different', position: 5 });
    expect(verified.status).toBe(1);
    expect(answer.check).toMatchObject({ result: 'different', position: 5 });
  }, 60_000);

  it('that stopped early is different where it stopped', async () => {
    const { provider, cheat, verified } = await askCheat('early-stop', 4);
    expect(provider).toBe(cheat);
    expect(verified.document).toMatchObject({ result: 'different', position: 4 });
  }, 60_000);

  it('leaves the honest one as it was: the next answer is identical', async () => {
    const { answer, verified } = await askCheat('none', 0);
    expect(verified.document).toMatchObject({ result: 'identical' });
    expect(answer.check).toMatchObject({ result: 'identical' });
  }, 60_000);
});
