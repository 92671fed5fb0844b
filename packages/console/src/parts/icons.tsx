/**
 * The page's few drawings, all on one 16-unit grid with one line weight; always beside or inside a
 * text label.
 */
import type { ReactNode } from 'react';

function Icon({ children }: { readonly children: ReactNode }): ReactNode {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

export const TickIcon = (): ReactNode => (
  <Icon>
    <path d="m3 8.6 3.3 3.2L13 4.6" />
  </Icon>
);

export const CrossIcon = (): ReactNode => (
  <Icon>
    <path d="m4 4 8 8M12 4l-8 8" />
  </Icon>
);

export const ArrowIcon = (): ReactNode => (
  <Icon>
    <path d="M8 13V3M3.8 7.2 8 3l4.2 4.2" />
  </Icon>
);

export const StopIcon = (): ReactNode => (
  <Icon>
    <path d="M4.5 4.5h7v7h-7z" className="icon-solid" />
  </Icon>
);

export const ChevronIcon = (): ReactNode => (
  <Icon>
    <path d="m4 6 4 4 4-4" />
  </Icon>
);

export const SunIcon = (): ReactNode => (
  <Icon>
    <circle cx="8" cy="8" r="2.8" />
    <path d="M8 1.2v1.6M8 13.2v1.6M1.2 8h1.6M13.2 8h1.6" />
    <path d="M3.2 3.2l1.1 1.1M11.7 11.7l1.1 1.1M12.8 3.2l-1.1 1.1M4.3 11.7l-1.1 1.1" />
  </Icon>
);

export const MoonIcon = (): ReactNode => (
  <Icon>
    <path d="M13.4 9.6A5.8 5.8 0 0 1 6.4 2.6a5.8 5.8 0 1 0 7 7z" />
  </Icon>
);

export const SystemIcon = (): ReactNode => (
  <Icon>
    <circle cx="8" cy="8" r="5.6" />
    <path d="M8 2.4a5.6 5.6 0 0 1 0 11.2z" className="icon-solid" />
  </Icon>
);

export const KeyIcon = (): ReactNode => (
  <Icon>
    <circle cx="5" cy="11" r="2.8" />
    <path d="m7 9 6.2-6.2M10.6 5.4l2 2M12.4 3.6l1.2 1.2" />
  </Icon>
);

/** The house mark: a punch with cut corners and an A. */
export const HouseMark = (): ReactNode => (
  <svg className="house-mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <path className="house-mark-field" d="M9 1h14l8 8v14l-8 8H9l-8-8V9z" />
    <path className="house-mark-letter" d="M8 23 16 7l8 16M11.2 18.5h9.6" />
  </svg>
);
