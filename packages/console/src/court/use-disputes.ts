/** Disputes as the gateway knows them, asked for again every few seconds while the view is open. */
import { useEffect, useState } from 'react';
import type { Failure } from '../conversation.js';
import { type DisputeAnswer, listDisputes, toAssayError } from '../gateway.js';

/** Blocks of a public chain are no closer than this, and the local one is watched by people. */
const LOOK_INTERVAL_MS = 2_000;

export type Disputes = {
  /** Null before the first answer. */
  readonly list: readonly DisputeAnswer[] | null;
  readonly failure: Failure | null;
};

export function useDisputes(): Disputes {
  const [disputes, setDisputes] = useState<Disputes>({ list: null, failure: null });
  useEffect(() => {
    let current = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async (): Promise<void> => {
      try {
        const list = await listDisputes();
        if (current) setDisputes({ list, failure: null });
      } catch (error) {
        const { code, message, remedy } = toAssayError(error);
        if (current) setDisputes((last) => ({ ...last, failure: { code, message, remedy } }));
      }
      if (current) timer = setTimeout(() => void look(), LOOK_INTERVAL_MS);
    };
    void look();
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, []);
  return disputes;
}
