/**
 * EIP-712 digests, compiled once per message type: the type hash and the layout of its words are worked out when a
 * type is declared, and the domain separator when a domain is first used, so that a digest costs a few hashes and no
 * parsing. Knows only the field types that our messages have. `eip712.test.ts` holds it against viem.
 */
import { assert } from './errors.js';
import { keccak } from './hash.js';
import { concat, type Hex, toHex, writeBigEndian, writeHex } from './hex.js';
import type { Domain } from './typed-data.js';

type Field = { readonly name: string; readonly type: string };
type Types = { readonly [name: string]: readonly Field[] };
type Value = string | number | bigint | readonly number[] | object;

/** Writes the 32 bytes of one field at `offset`, where zeros are. */
type WriteWord = (value: Value, words: Uint8Array, offset: number) => void;

/** hashStruct of EIP-712. */
export type HashStruct<T> = (message: T) => Uint8Array;

const WORD = 32;

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** `Job(bytes32 modelId,…)Sampler(…)`: the type and, sorted by name, those it refers to. */
function encodeType(types: Types, primary: string): string {
  const found = new Set<string>();
  const visit = (name: string): void => {
    for (const { type } of types[name]!) {
      if (types[type] === undefined || found.has(type)) continue;
      found.add(type);
      visit(type);
    }
  };
  visit(primary);
  const text = (name: string): string =>
    `${name}(${types[name]!.map((field) => `${field.type} ${field.name}`).join(',')})`;
  return [primary, ...[...found].sort()].map(text).join('');
}

/** Right-aligned bytes of `size`; text of another length would shift what follows it. */
const hexWriter =
  (size: number): WriteWord =>
  (value, words, offset) => {
    const end = writeHex(words, offset + WORD - size, value as Hex);
    assert(end === offset + WORD, `the field has ${size} bytes`);
  };

const writeUint: WriteWord = (value, words, offset) =>
  writeBigEndian(words, value as number | bigint, { from: offset, to: offset + WORD });

const writeNumbers: WriteWord = (value, words, offset) => {
  const numbers = value as readonly number[];
  const items = new Uint8Array(WORD * numbers.length);
  numbers.forEach((item, index) => {
    writeUint(item, items, WORD * index);
  });
  words.set(keccak(items), offset);
};

function wordWriter(types: Types, type: string): WriteWord {
  if (types[type] !== undefined) {
    const hashStruct = compileStruct<object>(types, type);
    return (value, words, offset) => words.set(hashStruct(value as object), offset);
  }
  if (type === 'bytes32') return hexWriter(WORD);
  if (type === 'address') return hexWriter(20);
  if (type === 'string')
    return (value, words, offset) => words.set(keccak(utf8(value as string)), offset);
  if (type === 'uint32[]') return writeNumbers;
  assert(/^uint\d+$/.test(type), `the field type ${type} is one that our messages have`);
  return writeUint;
}

/** The hashStruct of `primary`; the types are our own constants, so a mistake in them is our bug. */
export function compileStruct<T extends object>(types: Types, primary: string): HashStruct<T> {
  const typeHash = keccak(utf8(encodeType(types, primary)));
  const fields = types[primary]!.map(({ name, type }) => ({
    name,
    write: wordWriter(types, type),
  }));
  const words = new Uint8Array(WORD * (1 + fields.length));
  return (message) => {
    words.fill(0);
    words.set(typeHash);
    let offset = WORD;
    for (const { name, write } of fields) {
      write((message as Record<string, Value>)[name]!, words, offset);
      offset += WORD;
    }
    return keccak(words);
  };
}

const hashDomain = compileStruct<Domain>(
  {
    EIP712Domain: [
      { name: 'name', type: 'string' },
      { name: 'version', type: 'string' },
      { name: 'chainId', type: 'uint256' },
      { name: 'verifyingContract', type: 'address' },
    ],
  },
  'EIP712Domain',
);

/** Domain separators by their fields; a process meets a handful of domains. */
const separators = new Map<string, Uint8Array>();

/** Domains remembered; strangers' envelopes may name any, so the memory is bounded. */
const SEPARATORS_MAX = 64;

function domainSeparator(domain: Domain): Uint8Array {
  const { name, version, chainId, verifyingContract } = domain;
  const key = `${name}\n${version}\n${chainId}\n${verifyingContract.toLowerCase()}`;
  const known = separators.get(key);
  if (known !== undefined) return known;
  if (separators.size >= SEPARATORS_MAX) separators.clear();
  const separator = hashDomain(domain);
  separators.set(key, separator);
  return separator;
}

const PREFIX = Uint8Array.of(0x19, 0x01);

/** The digest that is signed: keccak(0x1901 ‖ domain separator ‖ hashStruct). */
export const hashMessage = <T>(domain: Domain, hashStruct: HashStruct<T>, message: T): Hex =>
  toHex(keccak(concat([PREFIX, domainSeparator(domain), hashStruct(message)])));
