/**
 * What a model is, as seven hashes and one id over them: weights, graph, tables and bounds as the engine commits to
 * them, tokenizer and template as this room does, and the version of the arithmetic. `ModelRegistry.sol` computes the
 * same id, and `vectors/model-id.json` holds both to it.
 */
import {
  boundsHash,
  type EngineModel,
  type GgufMetadata,
  graphRoot,
  metadataString,
  SPEC_ID,
  tablesRoot,
  weightsRoot,
} from '@assay/engine';
import { bigEndian, concat, type Hex, keccak, toHex } from '@assay/protocol';
import { encodeAbiParameters, keccak256, stringToBytes } from 'viem';
import { readVocabulary, SPACE_PREFIXES, SPACE_RULES, type Vocabulary } from './vocabulary.js';

/** The committed parts of a model, in the order of the registry's struct. */
export type ModelParts = {
  readonly weightsRoot: Hex;
  readonly graphRoot: Hex;
  readonly tablesRoot: Hex;
  readonly tokenizerHash: Hex;
  readonly templateHash: Hex;
  readonly boundsHash: Hex;
  readonly specId: Hex;
};

export type ModelIdentity = ModelParts & { readonly modelId: Hex };

/** EIP-712 type of a model; its hash is the first word of what an id hashes. */
export const MODEL_TYPE =
  'Model(bytes32 weightsRoot,bytes32 graphRoot,bytes32 tablesRoot,bytes32 tokenizerHash,' +
  'bytes32 templateHash,bytes32 boundsHash,bytes32 specId)';
export const MODEL_TYPEHASH: Hex = keccak256(stringToBytes(MODEL_TYPE));

/** Stands for a template that the file does not have. */
const NO_TEMPLATE: Hex = `0x${'00'.repeat(32)}`;
/** First bytes of what {@link hashTokenizer} hashes; a changed layout gets another version. */
const TOKENIZER_DOMAIN = 'assay tokenizer 1';
/** Stands for an id that the file does not have. */
const NO_ID = 0xffff_ffff;

/** keccak256(abi.encode(MODEL_TYPEHASH, parts in order)). */
export function modelId(parts: ModelParts): Hex {
  const words = [
    MODEL_TYPEHASH,
    parts.weightsRoot,
    parts.graphRoot,
    parts.tablesRoot,
    parts.tokenizerHash,
    parts.templateHash,
    parts.boundsHash,
    parts.specId,
  ];
  return keccak256(
    encodeAbiParameters(
      words.map(() => ({ type: 'bytes32' })),
      words,
    ),
  );
}

/** Computes every part. Hashing all weights takes some seconds per hundred megabytes, so callers keep the result. */
export function modelIdentity(options: {
  readonly model: EngineModel;
  readonly metadata: GgufMetadata;
}): ModelIdentity {
  const { model, metadata } = options;
  const parts: ModelParts = {
    weightsRoot: toHex(weightsRoot(model, keccak)),
    graphRoot: toHex(graphRoot(model.graph, keccak)),
    tablesRoot: toHex(tablesRoot(keccak)),
    ...textHashes(metadata),
    boundsHash: toHex(boundsHash(model, keccak)),
    specId: SPEC_ID,
  };
  return { ...parts, modelId: modelId(parts) };
}

/** The parts that concern text, which need no weights: what a gateway checks before it cuts a prompt. */
export function textHashes(
  metadata: GgufMetadata,
): Pick<ModelParts, 'tokenizerHash' | 'templateHash'> {
  const template = metadataString(metadata, 'tokenizer.chat_template');
  return {
    tokenizerHash: hashTokenizer(readVocabulary(metadata)),
    templateHash: template === undefined ? NO_TEMPLATE : keccak256(stringToBytes(template)),
  };
}

/**
 * keccak-256 of everything that decides how text is cut. Layout, big-endian:
 *
 *     text domain ‖ text kind ‖ text wordRule ‖ list of text entries ‖ types, 1 byte each ‖ list of text merges
 *     ‖ uint32 count ‖ float32 scores ‖ uint32 bosId ‖ uint32 eosId ‖ uint32 unknownId ‖ uint32 count ‖ uint32 endIds
 *     ‖ uint8 addsBos ‖ uint8 spacePrefix; of `t5` also ‖ uint8 spaceRule ‖ uint8 bytes of a score ‖ list charsmap
 *
 * where a text is uint32 length and UTF-8, a list is uint32 count and items, and a missing id is 2^32 - 1.
 */
export function hashTokenizer(vocabulary: Vocabulary): Hex {
  const encoder = new TextEncoder();
  const uint32 = (value: number) => bigEndian(value, 4);
  const text = (value: string): Uint8Array => {
    const bytes = encoder.encode(value);
    return concat([uint32(bytes.length), bytes]);
  };
  const list = (items: readonly string[]) => [uint32(items.length), ...items.map(text)];
  const bytes = concat([
    text(TOKENIZER_DOMAIN),
    text(vocabulary.kind),
    text(vocabulary.wordRule),
    ...list(vocabulary.entries),
    vocabulary.types,
    ...list(vocabulary.merges),
    uint32(vocabulary.scores.length),
    bigEndianScores(vocabulary.scores),
    ...[vocabulary.bosId, vocabulary.eosId, vocabulary.unknownId].map((id) => uint32(id ?? NO_ID)),
    uint32(vocabulary.endIds.length),
    ...vocabulary.endIds.map(uint32),
    Uint8Array.of(Number(vocabulary.addsBos), SPACE_PREFIXES.indexOf(vocabulary.spacePrefix)),
    ...(vocabulary.kind === 't5' ? normalizerBytes(vocabulary) : []),
  ]);
  return toHex(keccak(bytes));
}

/** What a unigram tokenizer does before it cuts, and how exact its scores are. */
const normalizerBytes = ({ spaceRule, scores, charsmap }: Vocabulary): Uint8Array[] => [
  Uint8Array.of(SPACE_RULES.indexOf(spaceRule), scores.BYTES_PER_ELEMENT),
  bigEndian(charsmap.length, 4),
  charsmap,
];

function bigEndianScores(scores: Vocabulary['scores']): Uint8Array {
  const size = scores.BYTES_PER_ELEMENT;
  const view = new DataView(new ArrayBuffer(size * scores.length));
  scores.forEach((score, index) => {
    if (size === 4) view.setFloat32(4 * index, score);
    else view.setFloat64(8 * index, score);
  });
  return new Uint8Array(view.buffer);
}
