/**
 * The events that the index follows: their signatures, how a log becomes a typed event and which subject it is filed
 * under. It knows the contracts' ABIs and nothing about tables.
 */
import type { Address, Hex } from '@assay/protocol';
import {
  auditsAbi,
  channelsAbi,
  modelRegistryAbi,
  offersAbi,
  receiptsAbi,
  stakeAbi,
} from '@assay/protocol/abi';
import {
  type AbiEvent,
  type DecodeEventLogReturnType,
  decodeEventLog,
  toEventSelector,
} from 'viem';
import type { ChainLog } from './chain-reader.js';
import { indexLogInvalid } from './errors.js';
import { accountId } from './sums.js';

const ABIS = {
  channels: channelsAbi,
  stake: stakeAbi,
  offers: offersAbi,
  receipts: receiptsAbi,
  modelRegistry: modelRegistryAbi,
  audits: auditsAbi,
} as const;

export type ContractName = keyof typeof ABIS;
export const CONTRACT_NAMES = Object.keys(ABIS) as ContractName[];

/** A decoded event, tagged with the contract that it came from and where in the chain it stands. */
export type ChainEvent = {
  [C in ContractName]: {
    readonly contract: C;
    readonly blockNumber: number;
    readonly logIndex: number;
  } & DecodeEventLogReturnType<(typeof ABIS)[C]>;
}[ContractName];

/** An event of one contract. */
export type EventOf<C extends ContractName> = Extract<ChainEvent, { contract: C }>;

/** One log as it is stored: enough to be decoded again. */
export type StoredLog = Pick<ChainLog, 'blockNumber' | 'logIndex' | 'topics' | 'data'> & {
  readonly contract: ContractName;
};

const EVENTS: { readonly [C in ContractName]: ReadonlyMap<Hex, AbiEvent> } = {
  channels: eventsOf(channelsAbi),
  stake: eventsOf(stakeAbi),
  offers: eventsOf(offersAbi),
  receipts: eventsOf(receiptsAbi),
  modelRegistry: eventsOf(modelRegistryAbi),
  audits: eventsOf(auditsAbi),
};

/** Signature hashes (topic 0) of everything that the index follows. */
export const EVENT_SIGNATURES: readonly Hex[] = [
  ...new Set(CONTRACT_NAMES.flatMap((name) => [...EVENTS[name].keys()])),
];

function eventsOf(abi: readonly { readonly type: string }[]): Map<Hex, AbiEvent> {
  const events = abi.filter((item): item is AbiEvent => item.type === 'event');
  return new Map(events.map((event) => [toEventSelector(event), event]));
}

/** Decodes a log; undefined if the contract has no such event (its signature is another contract's). */
export function decodeEvent(log: StoredLog): ChainEvent | undefined {
  const event = EVENTS[log.contract].get(log.topics[0] ?? '0x');
  if (event === undefined) return undefined;
  const { contract, blockNumber, logIndex } = log;
  try {
    const decoded = decodeEventLog({ abi: [event], topics: log.topics as [Hex], data: log.data });
    return { contract, blockNumber, logIndex, ...decoded } as unknown as ChainEvent;
  } catch (cause) {
    throw indexLogInvalid({ contract, event: event.name, blockNumber, logIndex }, cause);
  }
}

/** What an event is about: all events of one subject, in order, give its rows. */
export function subjectOf(event: ChainEvent): string {
  const { args } = event;
  if ('seat' in args) return seatId(args.seat);
  if ('commitment' in args) return args.commitment;
  if ('epoch' in args && event.contract === 'audits') return drawId(args);
  if ('channelId' in args) return args.channelId;
  if ('offerId' in args) return args.offerId;
  if ('token' in args) return accountId(lower(args.receiver), lower(args.token));
  if ('provider' in args) return lower(args.provider);
  return args.modelId;
}

export const seatId = (seat: number): string => `seat:${seat}`;

/** The epochs of a provider are numbers of its own choice. */
export const drawId = (of: { readonly provider: Address; readonly epoch: bigint }): string =>
  `${lower(of.provider)}:${of.epoch}`;

export const lower = (address: Address): Address => address.toLowerCase() as Address;
