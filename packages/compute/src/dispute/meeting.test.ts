import { describe, expect, it } from 'vitest';
import { meetingOf } from './meeting.js';

describe('meetingOf', () => {
  it('ends neighbours at once, and distant nodes under the top', () => {
    expect(meetingOf({ index: 500, other: 501, width: 700 })).toEqual({
      ...{ items: 0, otherItems: 0, first: 500, size: 1 },
    });
    expect(meetingOf({ index: 500, other: 498, width: 700 })).toEqual({
      ...{ items: 2, otherItems: 2, first: 500, size: 4 },
    });
    expect(meetingOf({ index: 0, other: 699, width: 700 })).toMatchObject({ items: 9, first: 0 });
  });

  it('counts no sibling where the last node moves up alone', () => {
    // Of seven nodes the last one has no sibling at the lowest level.
    expect(meetingOf({ index: 6, other: 5, width: 7 })).toEqual({
      ...{ items: 0, otherItems: 1, first: 6, size: 1 },
    });
    expect(meetingOf({ index: 0, other: 6, width: 7 })).toEqual({
      ...{ items: 2, otherItems: 1, first: 0, size: 4 },
    });
  });
});
