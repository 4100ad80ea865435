import { expect, it } from 'vitest';
import { type Cursor, decodeCursor, encodeCursor } from './list-cursor.ts';

const cursor: Cursor = { order: 'newest', createdAt: '2026-01-01T00:00:00.123Z', id: 'job_ä', passed: 50 };

it('comes back as it was and fits into a URL', () => {
  const text = encodeCursor(cursor);
  expect(text).toMatch(/^[A-Za-z0-9_-]+$/);
  expect(decodeCursor(text)).toEqual(cursor);
});

it.for(['', 'abc', '%%%', 'e30', Buffer.from('["newest","yesterday","x",0]').toString('base64url')])(
  '%j is none',
  (text) => {
    expect(decodeCursor(text)).toBeUndefined();
  },
);
