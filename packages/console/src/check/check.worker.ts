/**
 * The thread in which this page checks receipts: it holds the engine, the opened model and nothing
 * of the page. One check at a time; the model of the last check stays open for the next.
 */
import { decodeEnvelope } from '@assay/compute';
import { type AssayError, decodeJson, type Hex } from '@assay/protocol';
import { formatCounted, formatSize } from '../format.js';
import { backend, warmUp } from './backend.js';
import { judgeReceipt, type KnownModel, openKnownModel } from './judge.js';
import type { CheckProgress, CheckReply, CheckRequest } from './messages.js';
import { fetchModelFile, forgetModelFile } from './model-cache.js';

let known: KnownModel | undefined;
let queue: Promise<void> = Promise.resolve();

addEventListener('message', ({ data }: MessageEvent<CheckRequest>) => {
  queue = queue.then(() => answer(data));
});

async function answer(request: CheckRequest): Promise<void> {
  const { key } = request;
  const onProgress = (progress: CheckProgress): void => reply({ type: 'progress', key, progress });
  try {
    const envelope = decodeEnvelope(decodeJson(request.envelope));
    const model = await modelOf({
      modelId: envelope.job.modelId,
      url: request.modelUrl,
      apiKey: request.apiKey,
      onProgress,
    });
    const now = (): number => performance.now();
    const { network } = request;
    const verdict = await judgeReceipt({ envelope, known: model, network, onProgress, now });
    reply({ type: 'verdict', key, verdict });
  } catch (error) {
    reply({ type: 'failure', key, failure: describe(error) });
  }
}

const reply = (message: CheckReply): void => postMessage(message);

type ModelOptions = {
  readonly modelId: Hex;
  readonly url: string;
  readonly apiKey: string | null;
  readonly onProgress: (progress: CheckProgress) => void;
};

/** The model, from the last check if it is the same, else from this browser or the gateway. */
async function modelOf(options: ModelOptions): Promise<KnownModel> {
  const { modelId, onProgress } = options;
  if (known?.modelId !== modelId) known = await openModel(options);
  else onProgress({ step: 'file', share: 1, note: 'still open from the last check' });
  const parameters = formatCounted(known.file.info.parameterCount, 'parameter');
  const threads = formatCounted(backend.threadCount(known.file.model), 'thread');
  onProgress({
    step: 'identity',
    share: 1,
    note: `it is the model of this receipt, ${parameters}, on ${threads}`,
  });
  return known;
}

async function openModel(options: ModelOptions): Promise<KnownModel> {
  const { modelId, url, apiKey, onProgress } = options;
  onProgress({ step: 'file', share: 0 });
  const { bytes, fromCache } = await fetchModelFile({
    url,
    apiKey,
    onProgress: (share) => onProgress({ step: 'file', share }),
  });
  const source = fromCache ? 'kept in this browser' : 'from the gateway, kept for the next check';
  onProgress({ step: 'file', share: 1, note: `${formatSize(bytes.length)} ${source}` });
  onProgress({ step: 'identity', share: 0 });
  try {
    const opened = openKnownModel(bytes, modelId);
    await warmUp(opened.file.model);
    return opened;
  } catch (error) {
    await forgetModelFile(url);
    throw error;
  }
}

/** Errors of every room carry the same fields, whatever their class. */
function describe(error: unknown): { code: string; message: string; remedy?: string } {
  if (!(error instanceof Error)) return { code: 'page_check_failed', message: String(error) };
  const { code, remedy } = error as Partial<AssayError>;
  return {
    code: code ?? 'page_check_failed',
    message: error.message,
    ...(remedy === undefined ? {} : { remedy }),
  };
}
