import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import type { Hex } from '@assay/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ChainEngine,
  connectExternalChain,
  LOCAL_CHAIN_ID,
  localAccount,
  startEmbeddedChain,
} from './index.js';
import {
  COUNTER_CODE,
  callAll,
  callRpc,
  jumpingClock,
  nextNonce,
  postRpc,
  publicClient,
  type Receipt,
  range,
  SLOW_MS,
  sendAll,
  signTransfer,
  temporaryHome,
  timeLockCode,
  waitForReceipt,
} from './testing/chain-kit.js';

const home = temporaryHome();
const clock = jumpingClock();
let chain: ChainEngine;
const address = (index: number) => localAccount({ chainId: LOCAL_CHAIN_ID, index }).address;
const send = async (raw: Hex) =>
  (await callRpc(chain.rpcUrl, 'eth_sendRawTransaction', [raw])).body.result as Hex;
const nonceOf = (from: number) => nextNonce(chain.rpcUrl, from);
const receiptOf = (hash: Hex) => waitForReceipt(chain.rpcUrl, hash);

beforeAll(async () => {
  chain = await startEmbeddedChain({ home, port: 0, clock });
});
afterAll(() => chain.stop());

describe('startEmbeddedChain', { timeout: SLOW_MS }, () => {
  it('seals a transaction within moments and makes no empty blocks', async () => {
    expect(chain).toMatchObject({ kind: 'embedded', chainId: LOCAL_CHAIN_ID });
    const before = await chain.head();
    const receipt = await receiptOf(
      await send(await signTransfer({ from: 0, nonce: await nonceOf(0) })),
    );
    expect(receipt.status).toBe('0x1');
    await new Promise((resolve) => setTimeout(resolve, 100));
    const head = await chain.head();
    expect(head.number).toBe(before.number + 1);
    expect(head.hash).toBe(receipt.blockHash);
    expect(head.timestamp).toBeGreaterThanOrEqual(before.timestamp);
  });

  it('takes 200 transactions of ten senders at once', async () => {
    const batches = await Promise.all(
      range(0, 10).map(async (from) => {
        const first = await nonceOf(from);
        return Promise.all(range(first, 20).map((nonce) => signTransfer({ from, nonce })));
      }),
    );
    const hashes = (await Promise.all(batches.map((raws) => sendAll(chain.rpcUrl, raws)))).flat();
    expect(new Set(hashes).size).toBe(200);
    for (const last of batches.keys()) await receiptOf(hashes[last * 20 + 19]!);
    const receipts = await callAll(chain.rpcUrl, 'eth_getTransactionReceipt', hashes);
    expect(receipts.map((receipt) => (receipt as Receipt).status)).toEqual(Array(200).fill('0x1'));
  });

  it('loses none of the transactions that arrive while blocks are sealed', async () => {
    const rounds = 8;
    for (let round = 0; round < rounds; round++) {
      const perSender = await Promise.all(
        range(0, 10).map(async (from) => {
          const first = await nonceOf(from);
          return Promise.all(range(first, 20).map((nonce) => signTransfer({ from, nonce })));
        }),
      );
      // One after the other per sender, so that they meet blocks at every moment.
      const lasts = await Promise.all(
        perSender.map(async (raws) => {
          let last: Hex = '0x';
          for (const raw of raws) last = await send(raw);
          return last;
        }),
      );
      for (const last of lasts) expect((await receiptOf(last)).status).toBe('0x1');
    }
  });

  it('answers calls at the newest block while blocks are sealed', async () => {
    let sealing = true;
    const failures: unknown[] = [];
    const readers = range(0, 6).map(async () => {
      while (sealing) {
        const { body } = await callRpc(chain.rpcUrl, 'eth_call', [
          { to: address(0), data: '0x' },
          'latest',
        ]);
        if (body.error) failures.push(body.error);
      }
    });
    const first = await nonceOf(3);
    for (const nonce of range(first, 40))
      await receiptOf(await send(await signTransfer({ from: 3, nonce })));
    sealing = false;
    await Promise.all(readers);
    expect(failures).toEqual([]);
  });

  it('waits for the missing nonce, and takes a repeated transaction once', async () => {
    const nonce = await nonceOf(1);
    const later = await signTransfer({ from: 1, nonce: nonce + 1 });
    const hash = await send(later);
    expect(await send(later)).toBe(hash);
    const { body } = await callRpc(chain.rpcUrl, 'eth_getTransactionReceipt', [hash]);
    expect(body.result).toBeNull();
    await send(await signTransfer({ from: 1, nonce }));
    expect((await receiptOf(hash)).status).toBe('0x1');
    const again = await callRpc(chain.rpcUrl, 'eth_sendRawTransaction', [later]);
    expect(again.body.error?.message).toMatch(/nonce too low/);
  });

  it('goes on after transactions that become impossible', async () => {
    const nonce = await nonceOf(2);
    const value = 6_000n * 10n ** 18n; // Either of the two can be paid, not both.
    const second = await send(await signTransfer({ from: 2, nonce: nonce + 1, value }));
    const first = await send(await signTransfer({ from: 2, nonce, value }));
    expect((await receiptOf(first)).status).toBe('0x1');
    const lost = await callRpc(chain.rpcUrl, 'eth_getTransactionReceipt', [second]);
    expect(lost.body.result).toBeNull();
    const next = await send(await signTransfer({ from: 2, nonce: nonce + 1 }));
    expect((await receiptOf(next)).status).toBe('0x1');
  });

  it('puts a replacement in the block instead of the replaced', async () => {
    const account = localAccount({ chainId: LOCAL_CHAIN_ID, index: 3 });
    const base = {
      type: 'eip1559',
      chainId: LOCAL_CHAIN_ID,
      gas: 21_000n,
      to: address(4),
    } as const;
    const nonce = await nonceOf(3);
    const gap = { ...base, nonce: nonce + 1, maxFeePerGas: 10n ** 11n, maxPriorityFeePerGas: 1n };
    const old = await send(await account.signTransaction(gap));
    const better = { ...gap, maxFeePerGas: 2n * 10n ** 11n, maxPriorityFeePerGas: 10n ** 9n };
    const replacement = await send(await account.signTransaction(better));
    await send(await signTransfer({ from: 3, nonce }));
    expect((await receiptOf(replacement)).status).toBe('0x1');
    const lost = await callRpc(chain.rpcUrl, 'eth_getTransactionByHash', [old]);
    expect(lost.body.result).toBeNull();
  });

  it('keeps time through jumps of the clock', async () => {
    const sealOne = async () => {
      const nonce = await nonceOf(5);
      const receipt = await receiptOf(await send(await signTransfer({ from: 5, nonce })));
      const block = await publicClient(chain.rpcUrl).getBlock({ blockHash: receipt.blockHash });
      return Number(block.timestamp);
    };
    const now = await sealOne();
    clock.jump(86_400);
    const tomorrow = await sealOne();
    expect(tomorrow).toBeGreaterThanOrEqual(now + 86_400);
    clock.jump(-10 * 86_400);
    const later = await sealOne();
    expect(later).toBeGreaterThanOrEqual(tomorrow);
    expect(later).toBeLessThan(tomorrow + 60);
    clock.jump(10 * 86_400);
  });

  it('lets a time lock end on an idle chain', async () => {
    const client = publicClient(chain.rpcUrl);
    const moment = (await chain.head()).timestamp + 900;
    const data = timeLockCode(moment);
    const deployed = await receiptOf(
      await send(
        await signTransfer({ from: 6, nonce: await nonceOf(6), to: undefined, value: 0n, data }),
      ),
    );
    const call = { account: address(6), to: deployed.contractAddress };
    await expect(client.estimateGas(call)).rejects.toThrow(/revert/);
    const { number } = await chain.head();
    clock.jump(1_000);
    await client.call(call);
    expect(await client.estimateGas(call)).toBeGreaterThan(21_000n);
    expect((await chain.head()).number).toBe(number);
    const raw = await signTransfer({ from: 6, nonce: await nonceOf(6), to: call.to, value: 0n });
    expect((await receiptOf(await send(raw))).status).toBe('0x1');
  });

  it('serves the logs of all blocks', async () => {
    const nonce = await nonceOf(7);
    const deploy = { from: 7, nonce, to: undefined, value: 0n, data: COUNTER_CODE };
    const { contractAddress } = await receiptOf(await send(await signTransfer(deploy)));
    const call = { from: 7, to: contractAddress, value: 0n };
    await receiptOf(await send(await signTransfer({ ...call, nonce: nonce + 1 })));
    await receiptOf(await send(await signTransfer({ ...call, nonce: nonce + 2 })));
    const logs = await publicClient(chain.rpcUrl).getLogs({
      address: contractAddress,
      fromBlock: 0n,
    });
    expect(logs.map((log) => Number(log.data))).toEqual([1, 2]);
  });

  it('refuses a second process on the same folder', async () => {
    await expect(startEmbeddedChain({ home, port: 0 })).rejects.toMatchObject({
      code: 'home_in_use',
    });
  });

  it('refuses a folder that cannot be', async () => {
    const file = `${temporaryHome()}/file`;
    writeFileSync(file, '');
    await expect(startEmbeddedChain({ home: file, port: 0 })).rejects.toMatchObject({
      code: 'home_unwritable',
    });
  });

  it('takes the next port when the wanted one is busy, and says so', async () => {
    const port = Number(new URL(chain.rpcUrl).port);
    const said: string[] = [];
    const keep = (_: object, message: string) => void said.push(message);
    const log = { info: () => {}, warn: keep, error: keep };
    const other = await startEmbeddedChain({ home: temporaryHome(), port, log });
    expect(Number(new URL(other.rpcUrl).port)).toBeGreaterThan(port);
    expect(said.join()).toMatch(/port is busy/);
    expect(other.genesisHash).not.toBe(chain.genesisHash);
    await other.stop();
  });

  it('frees folder and port when it is stopped, and when it fails to start', async () => {
    const folder = temporaryHome();
    const failing = { home: folder, port: 0, anvilProgram: '/bin/false' };
    await expect(startEmbeddedChain(failing)).rejects.toMatchObject({ code: 'anvil_unstartable' });
    const one = await startEmbeddedChain({ home: folder, port: 0 });
    await one.stop();
    const port = Number(new URL(one.rpcUrl).port);
    const two = await startEmbeddedChain({ home: folder, port });
    expect(two.rpcUrl).toBe(one.rpcUrl);
    expect(two.genesisHash).toBe(one.genesisHash);
    await two.stop();
    await expect(callRpc(two.rpcUrl, 'eth_chainId')).rejects.toThrow();
  });
});

describe('the endpoint', { timeout: SLOW_MS }, () => {
  const codeOf = async (body: string, headers = {}) => {
    const answer = await postRpc(chain.rpcUrl, body, headers);
    return [answer.status, answer.body.error?.code, answer.body.error?.data?.code];
  };

  it.each(['anvil_setBalance', 'evm_mine', 'eth_sendTransaction', 'txpool_content', 'debug_x'])(
    'does not serve %s',
    async (method) => {
      const { body } = await callRpc(chain.rpcUrl, method);
      expect(body.error).toMatchObject({ code: -32601, data: { code: 'method_not_available' } });
    },
  );

  it('gives out no accounts that the chain would sign for', async () => {
    expect((await callRpc(chain.rpcUrl, 'eth_accounts')).body.result).toEqual([]);
  });

  it('answers what is not a call', async () => {
    expect(await codeOf('{')).toEqual([400, -32700, 'malformed_json']);
    expect(await codeOf('[]')).toEqual([400, -32600, 'invalid_request']);
    const noCall = [200, -32600, 'invalid_request'];
    expect(await codeOf('7')).toEqual(noCall);
    expect(await codeOf('{"method":"eth_chainId"}')).toEqual([200, -32600, 'invalid_request']);
    expect(await codeOf('{"id":1.5,"method":"eth_chainId"}')).toEqual(noCall);
    expect(await codeOf('{"id":-1,"method":"eth_chainId"}')).toEqual(noCall);
    expect(await codeOf('{"id":1,"method":7}')).toEqual([200, -32600, 'invalid_request']);
    const named = '{"id":1,"method":"eth_chainId","params":{}}';
    expect(await codeOf(named)).toEqual([200, -32602, 'invalid_params']);
    const nested = '['.repeat(100_000);
    expect(await codeOf(nested)).toEqual([400, -32700, 'malformed_json']);
  });

  it.each(['0x', '0x1', '0x1234', '0x7e00', '0x03aa', 'f86c', 7, null])(
    'refuses %s as a transaction',
    async (raw) => {
      const { body } = await callRpc(chain.rpcUrl, 'eth_sendRawTransaction', [raw]);
      expect(body.error?.code).toBe(-32602);
    },
  );

  it('refuses transactions of another chain, without money and too large', async () => {
    const account = localAccount({ chainId: LOCAL_CHAIN_ID, index: 8 });
    const base = {
      type: 'eip1559',
      gas: 21_000n,
      maxFeePerGas: 10n ** 11n,
      to: address(1),
    } as const;
    const nonce = await nonceOf(8);
    const foreign = await account.signTransaction({ ...base, chainId: 1, nonce });
    const rich = await signTransfer({ from: 8, nonce, value: 10n ** 30n });
    for (const raw of [foreign, rich]) {
      const { body } = await callRpc(chain.rpcUrl, 'eth_sendRawTransaction', [raw]);
      expect(body.error?.code).toBe(-32003);
    }
    const large = `0x02${'00'.repeat(131_072)}`;
    const { body } = await callRpc(chain.rpcUrl, 'eth_sendRawTransaction', [large]);
    expect(body.error?.data?.code).toBe('transaction_too_large');
    const fine = await send(await signTransfer({ from: 8, nonce }));
    expect((await receiptOf(fine)).status).toBe('0x1');
  });

  it('answers a batch in order, errors among results', async () => {
    const calls = ['eth_chainId', 'evm_mine', 'net_version'].map((method, id) => ({ id, method }));
    const answer = await postRpc(chain.rpcUrl, JSON.stringify(calls));
    const list = answer.body as unknown as { id: number; result?: string; error?: object }[];
    expect(list.map((each) => each.id)).toEqual([0, 1, 2]);
    expect(list[0]?.result).toBe('0x7a69');
    expect(list[1]?.error).toBeDefined();
    expect(list[2]?.result).toBe('31337');
  });

  it('takes the ids that clients use', async () => {
    for (const id of [0, 'text', null, '"', 2 ** 53 - 1]) {
      const body = JSON.stringify({ id, method: 'eth_chainId' });
      expect((await postRpc(chain.rpcUrl, body)).body).toMatchObject({ id, result: '0x7a69' });
    }
  });

  it('limits batch and body', async () => {
    const batch = JSON.stringify(Array(257).fill({ id: 1, method: 'eth_chainId' }));
    expect(await codeOf(batch)).toEqual([413, -32005, 'batch_too_large']);
    const large = JSON.stringify({ id: 1, method: 'eth_chainId', params: ['x'.repeat(3_000_000)] });
    expect(await codeOf(large)).toEqual([413, -32005, 'body_too_large']);
  });

  it('limits a body of unknown length while it arrives', async () => {
    const status = await new Promise((resolve, reject) => {
      const outgoing = request(chain.rpcUrl, { method: 'POST' }, (answer) => {
        resolve(answer.statusCode);
        answer.resume();
      });
      outgoing.on('error', reject);
      for (let chunk = 0; chunk < 40; chunk++) outgoing.write('x'.repeat(65_536));
    });
    expect(status).toBe(413);
  });

  it('refuses other pages and names', async () => {
    const call = JSON.stringify({ id: 1, method: 'eth_chainId' });
    const foreign = { origin: 'https://example.com' };
    expect(await codeOf(call, foreign)).toEqual([403, -32600, 'origin_not_allowed']);
    const status = await new Promise((resolve, reject) => {
      const options = { method: 'POST', headers: { host: 'example.com' } };
      request(chain.rpcUrl, options, (answer) => resolve(answer.resume().statusCode))
        .on('error', reject)
        .end(call);
    });
    expect(status).toBe(403);
    expect((await fetch(chain.rpcUrl)).status).toBe(405);
  });

  it('answers 400 calls at once', async () => {
    const calls = Array.from({ length: 400 }, () => callRpc(chain.rpcUrl, 'eth_blockNumber'));
    const answers = await Promise.all(calls);
    expect(answers.every(({ status, body }) => status === 200 && body.result)).toBe(true);
  });
});

describe('connectExternalChain', () => {
  it('is the same small interface over any address', async () => {
    const outside = await connectExternalChain({ rpcUrl: chain.rpcUrl, chainId: LOCAL_CHAIN_ID });
    expect(outside).toMatchObject({ kind: 'external', chainId: LOCAL_CHAIN_ID });
    expect(outside.genesisHash).toBe(chain.genesisHash);
    expect(await outside.head()).toEqual(await chain.head());
    await outside.stop();
  });

  it('refuses the wrong chain and an address where none is', async () => {
    await expect(connectExternalChain({ rpcUrl: chain.rpcUrl, chainId: 1 })).rejects.toMatchObject({
      code: 'wrong_chain',
    });
    const nobody = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => nobody.once('listening', resolve));
    const { port } = nobody.address() as { port: number };
    await new Promise((resolve) => nobody.close(resolve));
    for (const rpcUrl of [`http://127.0.0.1:${port}/key`, 'nonsense', 'file:///x']) {
      await expect(connectExternalChain({ rpcUrl })).rejects.toMatchObject({
        code: 'chain_unreachable',
        value: expect.not.stringContaining('key'),
      });
    }
  });
});
