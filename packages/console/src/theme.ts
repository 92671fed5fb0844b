/** Light, dark, or as the system says; remembered in this browser only. */

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'assay.theme';

export const NEXT_THEME: Readonly<Record<Theme, Theme>> = {
  system: 'dark',
  dark: 'light',
  light: 'system',
};

export function readTheme(): Theme {
  const stored = readStored(KEY);
  return stored === 'light' || stored === 'dark' ? stored : 'system';
}

export function applyTheme(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  writeStored(KEY, theme);
}

/** Storage may be refused (private windows, full disks); the page then simply forgets. */
export function readStored(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function writeStored(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Nothing to do: see readStored.
  }
}
