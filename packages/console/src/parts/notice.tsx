/** A failure in words: what happened, what to do, and the stable code for those who search. */
import type { ReactNode } from 'react';
import type { Failure } from '../conversation.js';
import './notice.css';

export type NoticeProps = {
  readonly failure: Failure;
  readonly children?: ReactNode;
};

export function Notice({ failure, children }: NoticeProps): ReactNode {
  return (
    <div className="notice" role="alert">
      <p>
        <strong>{failure.message}</strong> {failure.remedy}
      </p>
      <p className="notice-foot">
        <code>{failure.code}</code>
        {children}
      </p>
    </div>
  );
}
