/** Options of `assay ask` as the command line gives them. */
import { ask } from './ask.js';
import { gatewayUrl } from './run-file.js';

export type AskCommandOptions = {
  readonly home: string;
  readonly json: boolean;
  readonly gateway?: string;
  readonly model?: string;
  readonly system?: string;
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly seed?: number;
  readonly check: boolean;
};

export const askCommand = (options: AskCommandOptions, question: string): Promise<void> =>
  ask({
    json: options.json,
    check: options.check,
    question,
    gateway: gatewayUrl(options.home, options.gateway),
    model: options.model,
    system: options.system,
    maxTokens: options.maxTokens,
    temperature: options.temperature,
    seed: options.seed,
  });
