import { describe, expect, it } from 'vitest';
import { type StartFacts, whyRebuild } from './find-start.ts';

const CREATED = '2026-01-01T00:00:00.000Z';
const STORED = '2026-01-02T00:00:00.000Z';

const facts = (changed: Partial<StartFacts> & { position?: number } = {}): StartFacts => ({
  lease: {
    pipeline: 'current',
    owner: 'test',
    epoch: 1,
    position: changed.position ?? 40,
    positionStoredAt: STORED,
    streamCreated: CREATED,
  },
  stream: { created: CREATED, firstSequence: 1, lastSequence: 50 },
  storedAtPosition: STORED,
  hasJobs: true,
  ...changed,
});

describe('the projection', () => {
  it.each([
    ['in the middle of the stream', facts()],
    ['at the end of the stream', facts({ position: 50 })],
    ['when the message at the position was purged', facts({ storedAtPosition: undefined })],
    [
      'when everything before the position was purged, jobs too',
      facts({ hasJobs: false, stream: { created: CREATED, firstSequence: 41, lastSequence: 50 } }),
    ],
    [
      'when the stream is empty, and so is the projection',
      facts({ position: 0, hasJobs: false, stream: { created: CREATED, firstSequence: 1, lastSequence: 0 } }),
    ],
  ])('goes on %s', (_where, given) => {
    expect(whyRebuild(given)).toBeUndefined();
  });

  it.each([
    ['nothing was projected yet', facts({ lease: { ...facts().lease, streamCreated: undefined } })],
    [
      'the stream was created at',
      facts({ stream: { created: '2026-03-03T00:00:00.000Z', firstSequence: 1, lastSequence: 50 } }),
    ],
    ['the stream ends at 50, before the position 51', facts({ position: 51 })],
    ['the message at 40 was stored at', facts({ storedAtPosition: '2026-01-02T00:00:00.001Z' })],
    ['no job has a row', facts({ hasJobs: false })],
  ])('is built anew: %s', (why, given) => {
    expect(whyRebuild(given)).toContain(why);
  });
});
