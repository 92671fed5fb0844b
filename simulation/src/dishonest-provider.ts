/**
 * A provider process that cheats: `node dishonest-provider.js HOME RPC FAULT POSITION PORT PRICE`. It is the real
 * role with its maker of tokens or its trace replaced; it signs what it sends and is paid until somebody re-computes.
 */
import {
  createLog,
  DEMO_FAULTS,
  type DemoFault,
  type Disguise,
  disguiseAs,
  keepRole,
  SHIPPED_MODEL_PATH,
  startProvider,
} from '@assay/node';
import { FAULT_KINDS, type Fault, withFault } from './faults.js';

const [home, rpc, kind, position, port, price] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
  string,
];

/** Honest in all but one: it shows its tokens to no verifier. */
const WITHHOLD = 'withhold';

/** Faults of tokens happen where they are told to; those that only the demonstration knows, where it has them. */
async function disguise(): Promise<Disguise> {
  if (kind === WITHHOLD) return { withholds: true };
  if ((FAULT_KINDS as readonly string[]).includes(kind)) {
    const fault = (kind === 'none' ? { kind } : { kind, position: Number(position) }) as Fault;
    return { wrap: (generate) => withFault(generate, fault) };
  }
  if (!Object.hasOwn(DEMO_FAULTS, kind)) throw new Error(`no such way to cheat: ${kind}`);
  const options = { modelPath: SHIPPED_MODEL_PATH, folder: home };
  return (await disguiseAs(kind as DemoFault, options)).disguise;
}

const log = createLog('dishonest-provider');
const role = await startProvider(
  {
    home,
    rpc,
    host: '127.0.0.1',
    port: Number(port),
    inputPrice: Number(price),
    outputPrice: 2 * Number(price),
    stake: 1_000_000,
    queue: 64,
    threads: 1,
    claimSeconds: 2,
  },
  log,
  await disguise(),
);
await keepRole(role, log);
