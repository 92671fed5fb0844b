/** The `assay` command: every sub-command, its options and help. Each lives in a file of its own, loaded when used. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { DEMO_FAULTS } from '../demo/fault-kinds.js';
import { resolveHome } from '../home.js';
import type { VerifierRoleOptions } from '../roles/verifier.js';
import { EXIT, endProcess, type Output, printError } from './output.js';

const VERSION = '0.1.0';

type VerifierCommand = VerifierRoleOptions & Common & { readonly gateway?: string };

type Common = Output & { readonly home?: string };

/** Runs a command; its errors are printed with code and remedy and set the exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command('assay')
    .description(
      'An open network for AI in which every paid answer can be re-computed and proved wrong.',
    )
    .version(VERSION)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', HELP);
  addNetworkCommands(program);
  addRoleCommands(program);
  addAssetCommands(program);
  addExitCommands(program);
  addAuditCommands(program);
  addCourtCommands(program);
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
  }
}

const HELP = `
Start here:
  assay up                      a whole network on this machine
  assay ask "What is Assay?"    an answer, its price, and whether a verifier found the same bits
  assay receipt verify ID       re-compute a receipt yourself
  assay status                  who serves what, and where the money went
To leave: assay offer withdraw, assay stake request, assay channel request.

Exit codes: 0 done, 1 refused by a rule, 2 wrong usage, 3 a peer or the platform failed.
Data folder: --home, else ASSAY_HOME, else .assay in the working folder.`;

function integer(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError('Give a whole number.');
  return value;
}

/** A whole number of which nothing works with none: threads, places in a queue, seconds between two looks. */
function atLeastOne(text: string): number {
  const value = integer(text);
  if (value === 0) throw new InvalidArgumentError('Give a whole number above 0.');
  return value;
}

function portNumber(text: string): number {
  const value = integer(text);
  if (value > 65_535) throw new InvalidArgumentError('A port is a number up to 65535.');
  return value;
}

function share(text: string): number {
  const value = decimal(text);
  if (value < 0 || value > 1) throw new InvalidArgumentError('Give a number from 0 to 1.');
  return value;
}

function atomicUnits(text: string): bigint {
  if (!/^\d{1,30}$/.test(text))
    throw new InvalidArgumentError('Give a whole number of atomic units; 1000000 is one dollar.');
  return BigInt(text);
}

function decimal(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new InvalidArgumentError('Give a number.');
  return value;
}

/** A sub-command with the options that all share. */
function command(parent: Command, usage: string, description: string): Command {
  return parent
    .command(usage)
    .description(description)
    .exitOverride()
    .option('--json', 'print one JSON document', false)
    .option('--home <folder>', 'data folder (default: ASSAY_HOME, else .assay)');
}

/** Wraps an action so that its errors are printed in the shape the caller asked for. */
function action<T extends Common>(
  run: (options: T & { home: string }, ...args: string[]) => Promise<void>,
): (...parameters: unknown[]) => Promise<void> {
  return async (...parameters) => {
    const self = parameters.at(-1) as Command;
    const options = self.opts<T>();
    try {
      await run(
        { ...options, home: resolveHome(options.home) },
        ...(parameters.slice(0, -2) as string[]),
      );
    } catch (error) {
      printError(options, error);
    }
  };
}

/**
 * As {@link action}, for commands that run until they are stopped: what a start that failed has opened by then (engine
 * threads, servers, child processes) would keep the process alive, so it is ended.
 */
function roleAction<T extends Common>(
  run: (options: T & { home: string }, ...args: string[]) => Promise<void>,
): (...parameters: unknown[]) => Promise<void> {
  const start = action(run);
  return async (...parameters) => {
    await start(...parameters);
    await endProcess();
  };
}

function addNetworkCommands(program: Command): void {
  command(
    program,
    'up',
    'start a whole network on this machine: chain, provider, verifier, gateway, page',
  )
    .option('--port <port>', 'port of the gateway and page', portNumber, 8787)
    .option('--chain-port <port>', 'port of the chain', portNumber, 8545)
    .option('--model <file>', 'model file to serve (GGUF; default: the shipped model)')
    .option('--threads <count>', 'engine threads', atLeastOne, 1)
    .option('--check-share <share>', 'share of receipts re-computed at once, 0 to 1', share, 1)
    .option('--seats <count>', 'seats that the verifier takes, to be drawn for audits', integer, 1)
    .option('--audit-terms <json>', 'terms of audits, for a chain without contracts; see the help')
    .option('--database <url>', 'PostgreSQL URL for the index (default: SQLite in the data folder)')
    .addHelpText('after', UP_HELP)
    .action(roleAction(async (options: never) => (await import('./up.js')).up(options)));
  command(program, 'ask <question>', 'ask a model; prints the answer, its price and the check')
    .option('--gateway <url>', 'gateway to ask (default: the one running in the data folder)')
    .option('--model <id>', 'model name or id (default: the first listed)')
    .option('--system <text>', 'system message')
    .option('--max-tokens <count>', 'longest answer', atLeastOne)
    .option('--temperature <number>', '0 to 2; 0 is greedy (default)', decimal)
    .option('--seed <number>', 'makes a sampled answer repeatable', integer)
    .option('--no-check', 'do not ask a verifier to re-compute the answer')
    .action(
      action(async (options: never, question) =>
        (await import('./ask-command.js')).askCommand(options, question),
      ),
    );
  command(program, 'status', 'the network: chain, contracts, providers, requests, money')
    .option('--gateway <url>', 'gateway to ask')
    .action(action(async (options: never) => (await import('./status.js')).status(options)));
  role(program, 'wallet', 'addresses of the roles in this data folder, and their money').action(
    action(async (options: never) => (await import('./wallet.js')).wallet(options)),
  );
  command(program, 'doctor', 'check this machine and say what to do about each finding').action(
    action(async (options: never) => (await import('./doctor.js')).doctor(options)),
  );
}

function addRoleCommands(program: Command): void {
  command(program, 'chain', 'run the embedded chain alone')
    .option('--port <port>', 'port of the JSON-RPC endpoint', portNumber, 8545)
    .action(
      roleAction(async (options: never) => (await import('../roles/chain.js')).runChain(options)),
    );
  role(program, 'provider', 'serve a model for money')
    .option('--port <port>', 'port to listen on', portNumber, 8788)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option(
      '--endpoint <url>',
      'address that others reach this provider at (default: the one listened on)',
    )
    .option('--model <file>', 'model file to serve (GGUF; default: the shipped model)')
    .option('--name <name>', 'name to register the model under (default: from the file)')
    .option('--input-price <amount>', 'atomic units per million input tokens', integer, 100_000)
    .option('--output-price <amount>', 'atomic units per million output tokens', integer, 400_000)
    .option('--stake <amount>', 'stake in atomic units', integer, 1_000_000)
    .option('--queue <count>', 'jobs admitted at once, running and waiting', atLeastOne, 64)
    .option('--threads <count>', 'engine threads', atLeastOne, 1)
    .option(
      '--draft <file>',
      'guess tokens ahead with a smaller model, or by `lookup` of the prompt',
    )
    .option('--claim-seconds <seconds>', 'time between claims', atLeastOne, 10)
    .action(
      roleAction(async (options: never) =>
        (await import('../roles/provider.js')).runProvider(options),
      ),
    );
  role(program, 'verifier', 're-compute receipts for whoever asks')
    .option('--port <port>', 'port to listen on', portNumber, 8789)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--threads <count>', 'engine threads', atLeastOne, 1)
    .option('--no-prosecute', 'say what differs, but bring nothing to court')
    .option('--seats <count>', 'seats to hold: bonds that are drawn for audits', integer, 0)
    .option('--gateway <url>', 'asked for a drawn receipt where its provider shows none')
    .addHelpText('after', VERIFIER_HELP)
    .action(
      roleAction(async ({ gateway, ...options }: VerifierCommand) => {
        // The network of this data folder may have its gateway after its verifier.
        const { knownGatewayUrl } = await import('./run-file.js');
        const gatewayUrl = () => knownGatewayUrl(options.home, gateway);
        await (await import('../roles/verifier.js')).runVerifier({ ...options, gatewayUrl });
      }),
    );
  role(program, 'gateway', 'answer OpenAI clients by buying from providers')
    .option('--port <port>', 'port to listen on', portNumber, 8787)
    .option(
      '--host <address>',
      'address to listen on; others than loopback need ASSAY_API_KEY',
      '127.0.0.1',
    )
    .option('--verifier <url>', 'verifier that re-computes receipts')
    .option('--check-share <share>', 'share of receipts re-computed at once, 0 to 1', share, 1)
    .option('--deposit <amount>', 'atomic units put into a channel at once', integer, 5_000_000)
    .option('--parallel <count>', 'requests under way at once', atLeastOne, 48)
    .option('--database <url>', 'PostgreSQL URL for the index (default: SQLite in the data folder)')
    .action(
      roleAction(async (options: never) =>
        (await import('../roles/gateway.js')).runGateway(options),
      ),
    );
}

const role = (program: Command, name: string, description: string): Command =>
  command(program, name, description).option(
    '--rpc <url>',
    'JSON-RPC of the chain (default: the one running in the data folder)',
  );

function addAssetCommands(program: Command): void {
  command(
    program,
    'deploy',
    'deploy the contracts to a chain and write their addresses to one file',
  )
    .option('--rpc <url>', 'JSON-RPC of the chain', 'http://127.0.0.1:8545')
    .option('--token <address>', 'payment token (default on the local chain: a new test dollar)')
    .action(action(async (options: never) => (await import('./deploy.js')).deploy(options)));
  const model = program
    .command('model')
    .description('model files and registered models')
    .exitOverride();
  command(model, 'list', 'models offered on the network')
    .option('--gateway <url>', 'gateway to ask')
    .action(action(async (options: never) => (await import('./model.js')).listModels(options)));
  addModelFileCommands(model);
  const receipt = program
    .command('receipt')
    .description('signed claims about paid answers')
    .exitOverride();
  command(receipt, 'show <id>', 'print a receipt')
    .option('--gateway <url>', 'gateway that has it')
    .action(
      action(async (options: never, id) => (await import('./receipt.js')).showReceipt(options, id)),
    );
  command(receipt, 'verify <id>', 're-compute a receipt on this machine; exits 1 if it differs')
    .option('--gateway <url>', 'gateway that has it')
    .option('--file <file>', 'read the receipt from a file instead of a gateway')
    .action(
      action(async (options: never, id) =>
        (await import('./receipt.js')).verifyReceiptCommand(options, id),
      ),
    );
}

/** The way out of everything that a role put on chain. */
function addExitCommands(program: Command): void {
  const channel = group(
    program,
    'channel',
    'deposits of the gateway, and the way out',
    CHANNEL_HELP,
  );
  const channelFile = () => import('./channel.js');
  role(channel, 'list', 'channels that the gateway opened, and what is left in them').action(
    action(async (options: never) => (await channelFile()).listChannels(options)),
  );
  role(
    channel,
    'request [id]',
    'ask for what is left; the provider may still claim until the delay ends',
  )
    .option('--amount <amount>', 'atomic units (default: all)', atomicUnits)
    .action(
      action(async (options: never, id) =>
        (await channelFile()).requestChannelWithdrawal(options, id),
      ),
    );
  role(channel, 'cancel [id]', 'take the request back, and pay from the channel again').action(
    action(async (options: never, id) =>
      (await channelFile()).cancelChannelWithdrawal(options, id),
    ),
  );
  role(channel, 'withdraw [id]', 'take the money out, once the delay is over').action(
    action(async (options: never, id) => (await channelFile()).withdrawChannel(options, id)),
  );
  addStakeCommands(program);
  const offer = group(program, 'offer', 'what providers offer on chain', OFFER_HELP);
  role(offer, 'list', 'every offer that stands; own ones are marked').action(
    action(async (options: never) => (await import('./offer.js')).listOffers(options)),
  );
  role(offer, 'withdraw [model]', 'withdraw the offer of a model id, or every own offer').action(
    action(async (options: never, model) =>
      (await import('./offer.js')).withdrawOffers(options, model),
    ),
  );
}

function addStakeCommands(program: Command): void {
  const stake = group(program, 'stake', 'deposit at risk of the provider', STAKE_HELP);
  const stakeFile = () => import('./stake.js');
  role(stake, 'show', 'what is staked, and what is on its way out').action(
    action(async (options: never) => (await stakeFile()).showStake(options)),
  );
  role(stake, 'deposit', 'add to the stake')
    .requiredOption('--amount <amount>', 'atomic units', atomicUnits)
    .action(action(async (options: never) => (await stakeFile()).depositToStake(options)));
  role(stake, 'request', 'ask for stake back; it can still be slashed until the delay ends')
    .option('--amount <amount>', 'atomic units (default: all)', atomicUnits)
    .action(action(async (options: never) => (await stakeFile()).requestStake(options)));
  role(stake, 'cancel', 'take the request back').action(
    action(async (options: never) => (await stakeFile()).cancelStake(options)),
  );
  role(stake, 'withdraw', 'take the stake out, once the delay is over').action(
    action(async (options: never) => (await stakeFile()).withdrawOwnStake(options)),
  );
}

function addAuditCommands(program: Command): void {
  const audit = group(
    program,
    'audit',
    'receipts drawn to be re-computed, and who is drawn',
    AUDIT_HELP,
  );
  const file = () => import('./audit.js');
  const gateway = ['--gateway <url>', 'gateway to ask'] as const;
  command(audit, 'list', 'the newest audits, with what was found and who was paid')
    .option(...gateway)
    .option('--limit <count>', 'audits to list, at most 500', atLeastOne, 20)
    .action(action(async (options: never) => (await file()).listAudits(options)));
  command(audit, 'show <receipt>', 'the audits of one receipt, by its id')
    .option(...gateway)
    .action(action(async (options: never, id) => (await file()).showAudit(options, id!)));
  role(audit, 'seats', 'terms of audits, and the seats of the verifier here').action(
    action(async (options: never) => (await file()).showSeats(options)),
  );
  role(audit, 'take', 'take seats for the verifier, a bond each')
    .option('--count <count>', 'seats to take', atLeastOne, 1)
    .action(action(async (options: never) => (await file()).takeSeatsCommand(options)));
  role(audit, 'leave [seat]', 'give a seat up, or all; starts the delay of its bond').action(
    action(async (options: never, seat) => (await file()).leaveSeats(options, seat)),
  );
  role(audit, 'withdraw [seat]', 'take bonds back whose delay is over').action(
    action(async (options: never, seat) => (await file()).withdrawSeats(options, seat)),
  );
}

function addCourtCommands(program: Command): void {
  const dispute = group(program, 'dispute', 'cases of the court of this network', DISPUTE_HELP);
  const file = () => import('./dispute.js');
  role(dispute, 'list', 'open disputes and verdicts').action(
    action(async (options: never) => (await file()).listDisputes(options)),
  );
  role(dispute, 'show <id>', 'every step of the cases about a job').action(
    action(async (options: never, id) => (await file()).showDispute(options, id!)),
  );
  role(dispute, 'open <id>', 'compare the trace of a receipt, and go to court if it is wrong')
    .option('--gateway <url>', 'gateway that keeps the receipt')
    .option('--force', 'open the dispute on chain without asking the provider first', false)
    .action(
      roleAction(async (options: never, id) => (await file()).openDisputeCommand(options, id!)),
    );
  role(dispute, 'release <id>', 'pay out a verdict whose delay is over').action(
    action(async (options: never, id) => (await file()).releaseDispute(options, id!)),
  );
  const demo = group(program, 'demo', 'demonstrations on a private network', DEMO_HELP);
  demo
    .command('dispute')
    .description('a provider that cheats is convicted, step by step')
    .exitOverride()
    .option('--json', 'print one JSON document', false)
    .addOption(
      new Option('--fault <kind>', 'how the provider cheats')
        .default('flip-activation')
        .choices(Object.keys(DEMO_FAULTS)),
    )
    .action(roleAction(async (options: never) => (await import('./demo.js')).demoDispute(options)));
}

/** A command that only holds others. */
const group = (program: Command, name: string, description: string, help: string): Command =>
  program.command(name).description(description).exitOverride().addHelpText('after', help);

const UP_HELP = `
Of every receipt that the provider posts, some are audited: verifiers with seats re-compute them for a fee.
  assay up --seats 0            a network in which nobody audits
  assay up --audit-terms '{"rate":4294967295}'
                                every receipt is audited (of 2^32; the default is a quarter)
Terms are fixed when the contracts are deployed; on a chain that has contracts they change nothing.`;

const VERIFIER_HELP = `
With seats it earns: it is drawn for receipts, re-computes them, and is paid out of the stake of whoever made them.
  assay verifier --seats 2      takes what it lacks of two seats, a bond each, and audits as long as it runs
  assay audit seats             what a seat costs here, and what this verifier holds
A verifier that computes what it says loses nothing; one that invents a result loses the bond of the seat.`;

const AUDIT_HELP = `
A provider posts the root of its receipts; the hash of a later block decides which of them are audited, and by whom.
  assay audit list              what was found, what it earned or cost
  assay audit show ID           the audits of one receipt
To audit for money: assay verifier --seats 1. To stop: assay audit leave, and after the delay: assay audit withdraw.`;

const CHANNEL_HELP = `
To leave: stop the gateway, then
  assay channel request         starts the delay of each channel (15 minutes or more)
  assay channel withdraw        after it: the money is on the address of the gateway
Without an id, a command means every channel that it fits.`;

const STAKE_HELP = `
To leave: \`assay offer withdraw\`, then
  assay stake request           starts the delay (seven days, unless the network was deployed with another)
  assay stake withdraw          after it: the money is on the address of the provider
Let the provider run until then: it collects what it earned and answers disputes.
Amounts are atomic units: 1000000 is one dollar.`;

const OFFER_HELP = `
Gateways buy from the offers that stand. To stop being asked: assay offer withdraw`;

function addModelFileCommands(model: Command): void {
  const tokenizer = [
    '--tokenizer <file>',
    'GGUF file to take tokenizer and template from',
  ] as const;
  command(model, 'inspect <file>', 'what a model file or folder holds, and its model id')
    .option(...tokenizer)
    .action(
      action(async (options: never, file) =>
        (await import('./model.js')).inspectModel(options, file),
      ),
    );
  command(model, 'convert <in> <out>', 'write a model as .gguf (Q8_0) or .safetensors (F32)')
    .option(...tokenizer)
    .option('--residual-bits <n>', 'fraction bits of the residual stream, as inspect advises')
    .action(
      action(async (options: never, from, to) =>
        (await import('./model.js')).convertModel(options, from, to),
      ),
    );
  command(model, 'verify <file>', 'recompute the id of a model file; exits 1 if it differs')
    .requiredOption('--id <id>', 'the id that the file should have')
    .option(...tokenizer)
    .action(
      action(async (options: never, file) =>
        (await import('./model.js')).verifyModel(options, file),
      ),
    );
  command(model, 'add <file>', 'put a model file or folder into the data folder under its id')
    .option(...tokenizer)
    .action(
      action(async (options: never, file) => (await import('./model.js')).addModel(options, file)),
    );
}

const DISPUTE_HELP = `
A receipt that does not re-compute is brought to court with
  assay dispute open ID         asks the provider for its trace, proves the first wrong number, and has it convicted
The key of the verifier signs; a conviction pays it at most half of the stake.`;

const DEMO_HELP = `
  assay demo dispute --fault flip-activation
Everything is real but the provider's honesty: chain, contracts, model, answer, proof.
Exits 0 if the verdict is right.`;
