/** `assay model`: what is offered, and what a file holds. */
import { openModelFile } from '@assay/model';
import { readModelFile } from '../model-store.js';
import { fetchJson } from '../peers/http-client.js';
import { type Output, print, table } from './output.js';
import { gatewayUrl } from './run-file.js';

export type ListOptions = Output & { readonly home: string; readonly gateway?: string };

type Listed = { readonly id: string; readonly model_id: string; readonly owned_by: string };

export async function listModels(options: ListOptions): Promise<void> {
  const url = gatewayUrl(options.home, options.gateway);
  const { data } = (await fetchJson({ url: `${url}/v1/models` })) as { data: readonly Listed[] };
  const rows = data.map(({ id, model_id, owned_by }) => [id, model_id, owned_by]);
  print(options, { models: data }, rows.length === 0 ? 'no models are offered' : table(rows));
}

export async function inspectModel(options: Output, path: string): Promise<void> {
  const { info, identity, tokenizer, model } = openModelFile(readModelFile(path));
  const document = {
    file: path,
    ...info,
    vocabularySize: tokenizer.vocabularySize,
    config: model.config,
    identity,
  };
  const rows = [
    ['name', info.name],
    ['architecture', info.architecture],
    ['parameters', info.parameterCount.toLocaleString('en-US')],
    ['context', `${info.contextLength} tokens`],
    ['vocabulary', String(tokenizer.vocabularySize)],
    ['file', `${info.fileSize.toLocaleString('en-US')} bytes, sha256 ${info.fileHash.slice(2)}`],
    ['', ''],
    ...Object.entries(identity).map(([name, value]) => [name, String(value)]),
  ];
  print(options, document, table(rows));
}
