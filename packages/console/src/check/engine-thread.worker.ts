/** A further thread of the engine in this page: it serves the memory that the checking thread shares with it. */
import { serve, type WorkerStart } from '@assay/engine/worker';

addEventListener('message', ({ data }: MessageEvent<WorkerStart>) => serve(data), { once: true });
