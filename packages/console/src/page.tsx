/**
 * The page's frame: header, the view that the address asks for, and beside the chat the network on
 * wide screens.
 */
import {
  type ReactNode,
  useCallback,
  useEffect,
  useMemo,
  useState,
  useSyncExternalStore,
} from 'react';
import { KEY_REFUSED, readApiKey, watchApiKey } from './api-key.js';
import { Chat } from './chat/chat.js';
import { useConversation } from './chat/use-conversation.js';
import type { Failure } from './conversation.js';
import { CourtView } from './court/court-view.js';
import { formatCount, formatModel } from './format.js';
import { ACTIVITY_ITEMS_MAX, type ListedModel, listModels, toAssayError } from './gateway.js';
import type { NetworkEvent, NetworkState } from './network/network-state.js';
import { NetworkView } from './network/network-view.js';
import { useNetwork } from './network/use-network.js';
import { KeyButton } from './parts/api-key-dialog.js';
import { Boundary } from './parts/boundary.js';
import { HouseMark, MoonIcon, SunIcon, SystemIcon } from './parts/icons.js';
import { ReceiptsView } from './receipt/receipts-view.js';
import { parseRoute, type Route } from './route.js';
import { applyTheme, NEXT_THEME, readTheme } from './theme.js';
import './page.css';

/** Rows of recent requests in the side column. */
const SIDE_ROWS = 7;

export function Page(): ReactNode {
  const route = useRoute();
  useEffect(() => {
    document.title = TITLES[route.view];
  }, [route.view]);
  const actions = useConversation();
  const { dispatch } = actions;
  const apiKey = useSyncExternalStore(watchApiKey, readApiKey);
  const state = useNetwork(
    apiKey,
    useCallback(
      (event: NetworkEvent) => {
        if (event.type === 'check')
          dispatch({ type: 'checked', jobId: event.jobId, check: event.check });
      },
      [dispatch],
    ),
  );
  const { nameOf, ...models } = useModels(state, apiKey);
  const refused = [state.failure, models.failure].find((failure) => failure?.code === KEY_REFUSED);
  return (
    <>
      <button type="button" className="skip" onClick={focusContent}>
        Skip to content
      </button>
      <Header view={route.view} state={state}>
        <KeyButton apiKey={apiKey} refusal={refused ?? null} />
      </Header>
      <main id="content" tabIndex={-1} className={`content content-${route.view}`}>
        {route.view === 'ask' && (
          <>
            <Boundary>
              <Chat actions={actions} {...models} />
            </Boundary>
            <aside className="side">
              <Boundary>
                <NetworkView state={state} rowsMax={SIDE_ROWS} nameOf={nameOf} />
              </Boundary>
            </aside>
          </>
        )}
        {route.view === 'network' && (
          <Boundary>
            <NetworkView state={state} rowsMax={ACTIVITY_ITEMS_MAX} nameOf={nameOf} whole />
          </Boundary>
        )}
        {route.view === 'court' && (
          <Boundary>
            <CourtView jobId={route.jobId} />
          </Boundary>
        )}
        {route.view === 'receipts' && (
          <Boundary>
            <ReceiptsView jobId={route.jobId} items={state.items} nameOf={nameOf} />
          </Boundary>
        )}
      </main>
    </>
  );
}

/** A button and no link, because the address after `#` says what is shown. */
const focusContent = (): void => document.getElementById('content')?.focus({ preventScroll: true });

function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash));
  useEffect(() => {
    const follow = (): void => {
      setRoute(parseRoute(location.hash));
      window.scrollTo(0, 0);
      focusContent();
    };
    window.addEventListener('hashchange', follow);
    return () => window.removeEventListener('hashchange', follow);
  }, []);
  return route;
}

type Models = {
  readonly models: readonly string[];
  readonly model: string;
  readonly onModel: (model: string) => void;
  readonly failure: Failure | null;
  readonly nameOf: (modelId: string) => string;
};

/**
 * Models on offer, asked for again whenever the set of providers changes or the gateway comes back.
 */
function useModels(state: NetworkState, apiKey: string | null): Models {
  const [listed, setListed] = useState<readonly ListedModel[]>([]);
  const [chosen, onModel] = useState('');
  const [failure, setFailure] = useState<Failure | null>(null);
  const providers = state.network?.providers.map(({ address, online }) => `${address}${online}`);
  const occasion = `${state.link === 'offline'} ${providers?.join()}`;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the occasion is what makes a new look worth it
  useEffect(() => {
    let current = true;
    listModels().then(
      (list) => {
        if (!current) return;
        setListed(list);
        setFailure(null);
      },
      (error: unknown) => {
        const { code, message, remedy } = toAssayError(error);
        if (current) setFailure({ code, message, remedy });
      },
    );
    return () => {
      current = false;
    };
  }, [occasion, apiKey]);
  const models = listed.map(({ id }) => id);
  const model = models.includes(chosen) ? chosen : (models[0] ?? '');
  const nameOf = useMemo(() => (modelId: string) => nameIn(listed, modelId), [listed]);
  return { models, model, onModel, failure, nameOf };
}

const nameIn = (listed: readonly ListedModel[], modelId: string): string =>
  formatModel(listed.find((model) => model.model_id === modelId)?.id ?? modelId);

const VIEWS = [
  ['ask', '#/', 'Ask'],
  ['network', '#/network', 'Network'],
  ['receipts', '#/receipts', 'Receipts'],
  ['court', '#/court', 'Court'],
] as const;

type HeaderProps = {
  readonly view: Route['view'];
  readonly state: NetworkState;
  readonly children: ReactNode;
};

function Header({ view, state, children }: HeaderProps): ReactNode {
  return (
    <header className="header">
      <h1>
        <a href="#/">
          <HouseMark /> Assay
        </a>
      </h1>
      <nav aria-label="Views">
        {VIEWS.map(([name, href, label]) => (
          <a key={name} href={href} aria-current={name === view ? 'page' : undefined}>
            {label}
          </a>
        ))}
      </nav>
      <a className={`header-block link link-${state.link}`} href="#/network">
        {state.network === null ? state.link : `block ${formatCount(state.network.chain.block)}`}
      </a>
      {children}
      <ThemeButton />
    </header>
  );
}

const TITLES: Readonly<Record<Route['view'], string>> = {
  ask: 'Assay',
  network: 'The network · Assay',
  receipts: 'Receipts · Assay',
  court: 'The court · Assay',
};

const THEME_ICONS = { system: SystemIcon, light: SunIcon, dark: MoonIcon } as const;

function ThemeButton(): ReactNode {
  const [theme, setTheme] = useState(readTheme);
  const ThemeIcon = THEME_ICONS[theme];
  const next = NEXT_THEME[theme];
  return (
    <button
      type="button"
      className="quiet theme-button"
      aria-label={`Colours: ${theme}. Switch to ${next}.`}
      title={`Colours: ${theme}`}
      onClick={() => {
        applyTheme(next);
        setTheme(next);
      }}
    >
      <ThemeIcon />
    </button>
  );
}
