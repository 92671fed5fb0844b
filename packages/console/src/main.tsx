/** Starts the page. */
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Page } from './page.js';
import { applyTheme, readTheme } from './theme.js';
import './base.css';

applyTheme(readTheme());
const root = document.getElementById('page');
if (root === null) throw new Error('invariant broken: index.html has an element #page');
createRoot(root).render(
  <StrictMode>
    <Page />
  </StrictMode>,
);
