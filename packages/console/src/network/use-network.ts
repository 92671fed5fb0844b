/**
 * Keeps the network's state fresh: one event stream, totals asked for again when something moved,
 * and plain polling while the stream is down. Stops while the page is hidden.
 */
import { useEffect, useReducer, useRef } from 'react';
import { followEvents, listActivity, listAudits, readNetwork, toAssayError } from '../gateway.js';
import {
  applyNetworkEvent,
  type Link,
  type NetworkEvent,
  type NetworkState,
  NO_NETWORK,
  readNetworkEvent,
} from './network-state.js';

/**
 * Between two looks while no events arrive; short enough to feel alive, long enough to cost
 * nothing.
 */
const POLL_MS = 4000;

/** Even a live stream is compared with the truth this often. */
const REFRESH_MS = 20_000;

/** Between two tries to follow the events. */
const FOLLOW_AGAIN_MS = 3000;

/** Several events in one instant lead to one refresh. */
const GATHER_MS = 350;

type Change = (state: NetworkState) => NetworkState;

/** Begins anew with another `apiKey`. */
export function useNetwork(
  apiKey: string | null,
  onEvent: (event: NetworkEvent) => void,
): NetworkState {
  const [state, change] = useReducer((old: NetworkState, next: Change) => next(old), NO_NETWORK);
  const listener = useRef(onEvent);
  listener.current = onEvent;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another key is another start
  useEffect(() => followNetwork(change, (event) => listener.current(event)), [apiKey]);
  return state;
}

/** Starts following and returns the function that stops it. */
function followNetwork(
  change: (next: Change) => void,
  onEvent: (event: NetworkEvent) => void,
): () => void {
  let streaming = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;

  const refresh = async (): Promise<void> => {
    const seen = document.hidden ? UNSEEN : await look(() => (streaming ? 'live' : 'polling'));
    if (stopped) return;
    change(seen.change);
    schedule(streaming && seen.answered ? REFRESH_MS : POLL_MS);
  };
  const schedule = (delayMs: number): void => {
    clearTimeout(timer);
    timer = setTimeout(refresh, delayMs);
  };
  const setLink = (open: boolean): void => {
    if (open !== streaming) schedule(0);
    streaming = open;
  };

  const leaving = new AbortController();
  const take = (data: string): void => {
    const event = readNetworkEvent(data);
    if (event === null) return;
    change((state) => applyNetworkEvent(state, event));
    onEvent(event);
    if (event.type !== 'block') schedule(GATHER_MS);
  };
  const follow = async (): Promise<void> => {
    const { signal } = leaving;
    const onOpen = (): void => setLink(true);
    await followEvents({ signal, onOpen, onEvent: take }).catch(() => undefined);
    if (stopped) return;
    setLink(false);
    setTimeout(() => stopped || void follow(), FOLLOW_AGAIN_MS);
  };
  void follow();
  const wake = (): void => schedule(0);
  document.addEventListener('visibilitychange', wake);
  schedule(0);
  return () => {
    stopped = true;
    clearTimeout(timer);
    leaving.abort();
    document.removeEventListener('visibilitychange', wake);
  };
}

type Look = { readonly answered: boolean; readonly change: Change };

/** A hidden page asks nothing. */
const UNSEEN: Look = { answered: true, change: (state) => state };

/**
 * One look at the whole truth, as a change of state; a failed look keeps what was known and says
 * so.
 */
async function look(linkNow: () => Link): Promise<Look> {
  try {
    const [network, items, audits] = await Promise.all([
      ...([readNetwork(), listActivity(), listAudits()] as const),
    ]);
    const freshAtMs = Date.now();
    const change: Change = () => ({
      ...{ link: linkNow(), network, items, audits, freshAtMs, failure: null },
    });
    return { answered: true, change };
  } catch (error) {
    const { code, message, remedy } = toAssayError(error);
    const failure = { code, message, remedy };
    return { answered: false, change: (state) => ({ ...state, link: 'offline', failure }) };
  }
}
