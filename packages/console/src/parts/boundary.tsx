/**
 * Keeps a view that failed to draw, say over an answer of an unforeseen shape, from taking the
 * whole page with it. React catches such failures only through a class.
 */
import { Component, type ReactNode } from 'react';
import type { Failure } from '../conversation.js';
import { toAssayError } from '../gateway.js';
import { Notice } from './notice.js';

type BoundaryProps = { readonly children: ReactNode };
type BoundaryState = { readonly failure: Failure | null };

export class Boundary extends Component<BoundaryProps, BoundaryState> {
  override state: BoundaryState = { failure: null };

  static getDerivedStateFromError(error: unknown): BoundaryState {
    const { code, message, remedy = 'Reload the page.' } = toAssayError(error);
    return { failure: { code, message, remedy } };
  }

  override render(): ReactNode {
    if (this.state.failure === null) return this.props.children;
    return (
      <Notice failure={this.state.failure}>
        <button type="button" className="plain" onClick={() => this.setState({ failure: null })}>
          Show again
        </button>
      </Notice>
    );
  }
}
