/**
 * Which models can be asked here, by which name, from whom. Names are not unique in an open network: a name belongs to
 * the model that registered it first on chain; every other is asked by its id.
 */
import { computeErrors, type Offer } from '@assay/compute';
import type { ChatMessage, OpenTokenMask, Tokenizer } from '@assay/model';
import { type Hex, isHexOf } from '@assay/protocol';
import { ParameterError } from './openai-errors.js';

/** A model with its tokenizer ready. */
export type OpenedModel = {
  readonly info: { readonly modelId: Hex; readonly contextLength: number; readonly name: string };
  readonly stopIds: readonly number[];
  readonly renderChat: (messages: readonly ChatMessage[]) => readonly number[];
  readonly decodeStream: Tokenizer['decodeStream'];
  readonly tokenBytes: Tokenizer['tokenBytes'];
  readonly vocabularySize: number;
  /** Plain text as the model reads it, without a template. */
  readonly encodeText: (text: string) => readonly number[];
  /** Elements of an embedding. */
  readonly width: number;
  readonly openMask: OpenTokenMask;
};

/** A model as it is listed. */
export type ListedModel = {
  readonly modelId: Hex;
  readonly name: string;
  /** Unix seconds of its registration. */
  readonly createdAt: number;
  readonly owner: Hex;
};

export type CatalogSource = {
  /** Registered models, oldest first. */
  readonly models: () => readonly ListedModel[];
  readonly offers: (modelId: Hex) => readonly Offer[];
  readonly open: (modelId: Hex, offers: readonly Offer[]) => Promise<OpenedModel>;
  /** Providers that failed lately, or do not answer. */
  readonly isResting: (provider: Hex) => boolean;
};

export type ModelCatalog = {
  readonly list: () => readonly ListedModel[];
  /** By name, id, or `id/name`; throws `model_not_found`. */
  readonly find: (model: string) => ListedModel;
  readonly open: (model: string) => Promise<OpenedModel>;
  /** The cheapest offer of a provider that is there, has not failed lately and was not tried; throws `no_provider`. */
  readonly pickOffer: (modelId: Hex, tried?: readonly Hex[]) => Offer;
  /** True if somebody offers the model besides those tried. */
  readonly hasOffer: (modelId: Hex, tried: readonly Hex[]) => boolean;
};

const notFound = (model: string): ParameterError =>
  new ParameterError({
    code: 'model_not_found',
    message: 'The model does not exist here.',
    param: 'model',
    value: model.slice(0, 80),
    remedy: 'GET /v1/models lists what can be asked.',
  });

export function createCatalog(source: CatalogSource): ModelCatalog {
  const opened = new Map<Hex, Promise<OpenedModel>>();

  function list(): readonly ListedModel[] {
    const names = new Set<string>();
    return source.models().flatMap((model) => {
      if (source.offers(model.modelId).length === 0) return [];
      const name = names.has(model.name) ? model.modelId : model.name;
      names.add(model.name);
      return [{ ...model, name }];
    });
  }

  function find(model: string): ListedModel {
    const id = model.split('/')[0]!.toLowerCase();
    const listed = list();
    const found = isHexOf(id, 32)
      ? listed.find(({ modelId }) => modelId === id)
      : listed.find(({ name }) => name === model);
    if (found === undefined) throw notFound(model);
    return found;
  }

  function open(model: string): Promise<OpenedModel> {
    const { modelId } = find(model);
    const known = opened.get(modelId) ?? source.open(modelId, source.offers(modelId));
    opened.set(modelId, known);
    known.catch(() => opened.delete(modelId));
    return known;
  }

  const untried = (modelId: Hex, tried: readonly Hex[]): readonly Offer[] =>
    source.offers(modelId).filter(({ provider }) => !tried.includes(provider));

  function pickOffer(modelId: Hex, tried: readonly Hex[] = []): Offer {
    const offers = untried(modelId, tried);
    const awake = offers.filter(({ provider }) => !source.isResting(provider));
    const sorted = [...(awake.length > 0 ? awake : offers)].sort((a, b) =>
      costOf(a) < costOf(b) ? -1 : 1,
    );
    const best = sorted[0];
    if (best === undefined) throw computeErrors.noProvider(modelId);
    return best;
  }

  return {
    list,
    find,
    open,
    pickOffer,
    hasOffer: (modelId, tried) => untried(modelId, tried).length > 0,
  };
}

const costOf = ({ inputPrice, outputPrice }: Offer): bigint => inputPrice + outputPrice;
