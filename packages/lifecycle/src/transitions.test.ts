import { EVENT_TYPES, type EventType, JOB_STATES, type JobState, type StoredEvent } from '@trellis/contracts';
import { describe, expect, it } from 'vitest';
import { type FoldedJob, fold, reduce } from './reduce.ts';
import { storedEvent } from './testing/sample-events.ts';
import { ENDED_STATES, ENDING_EVENTS, isEnded, statesAccepting } from './transitions.ts';

/** Where each event leads from each state, as the protocol says it; `-`: nowhere, the job stays as it is. */
const TABLE = `
                        pending    active     retry      completed  failed     cancelled  expired    skipped    stale      dead       dismissed
created                 -          -          -          -          -          -          -          -          -          -          -
started                 active     active     active     -          -          -          -          -          -          -          -
retry                   retry      retry      retry      -          -          -          -          -          -          -          -
progress                pending    active     retry      -          -          -          -          -          -          -          -
logged                  pending    active     retry      -          -          -          -          -          -          -          -
completed               completed  completed  completed  -          -          -          -          -          -          -          -
failed                  failed     failed     failed     -          -          -          -          -          -          -          -
cancelled               cancelled  cancelled  cancelled  -          -          -          -          -          -          -          -
expired                 expired    expired    expired    -          -          -          -          -          -          -          -
skipped                 skipped    -          skipped    -          -          -          -          -          -          -          -
stale                   stale      stale      stale      -          -          -          -          -          -          -          -
heartbeat               pending    active     retry      -          -          -          -          -          -          -          -
staleCompletionIgnored  -          -          -          -          -          -          -          -          -          -          -
retried                 -          -          -          -          pending    -          -          -          -          pending    -
dead                    dead       dead       dead       -          -          -          -          -          -          -          -
dismissed               -          -          -          -          -          -          -          -          -          dismissed  -
cancelRequested         pending    active     retry      -          -          -          -          -          -          -          -
`;

const [header = [], ...lines] = TABLE.trim()
  .split('\n')
  .map((line) => line.trim().split(/\s+/));
const cases = lines.flatMap(([event, ...targets]) =>
  targets.map((to, column) => ({ event, from: header[column], to })),
);

/** The events that bring a job into each state. */
const WAY_TO: Record<JobState, EventType[]> = {
  pending: ['created'],
  active: ['created', 'started'],
  retry: ['created', 'started', 'retry'],
  completed: ['created', 'started', 'completed'],
  failed: ['created', 'started', 'failed'],
  cancelled: ['created', 'cancelled'],
  expired: ['created', 'expired'],
  skipped: ['created', 'skipped'],
  stale: ['created', 'started', 'stale'],
  dead: ['created', 'started', 'dead'],
  dismissed: ['created', 'started', 'dead', 'dismissed'],
};

function jobIn(state: JobState): FoldedJob {
  const events: StoredEvent[] = WAY_TO[state].map((eventType, index) => storedEvent(index + 1, { eventType }));
  const job = fold(events);
  if (job?.state !== state) throw new Error(`the way to ${state} leads to ${job?.state}`);
  return job;
}

describe('what each event does in each state', () => {
  it.each(cases as { event: EventType; from: JobState; to: JobState | '-' }[])(
    '$event: $from → $to',
    ({ event, from, to }) => {
      const job = jobIn(from);
      const outcome = reduce(job, storedEvent(100, { eventType: event }));
      if (to === '-') expect(outcome.kind).toBe('ignored');
      else expect(outcome).toMatchObject({ kind: 'applied', job: { state: to, lastSequence: 100 } });
    },
  );

  it('the table has every event and every state', () => {
    expect(lines.map(([event]) => event).sort()).toEqual([...EVENT_TYPES].sort());
    expect(header).toEqual([...JOB_STATES]);
  });

  it('only created makes a job that is whole', () => {
    for (const eventType of EVENT_TYPES) {
      const outcome = reduce(undefined, storedEvent(1, { eventType }));
      if (eventType === 'staleCompletionIgnored') expect(outcome).toEqual({ kind: 'ignored', why: 'history-only' });
      else expect(outcome).toMatchObject({ kind: 'applied', job: { headMissing: eventType !== 'created' } });
    }
  });
});

describe('what is derived from the table', () => {
  it('execution ends in every state but pending, active and retry', () => {
    expect(ENDED_STATES).toEqual(JOB_STATES.filter((state) => !['pending', 'active', 'retry'].includes(state)));
    expect(isEnded('retry')).toBe(false);
    expect(isEnded('dismissed')).toBe(true);
  });

  it('the events that end execution are those that workers must look for', () => {
    expect([...ENDING_EVENTS].sort()).toEqual(
      ['cancelled', 'completed', 'dead', 'dismissed', 'expired', 'failed', 'skipped', 'stale'].sort(),
    );
  });

  it('names the states that accept an action', () => {
    expect(statesAccepting('retried')).toEqual(['failed', 'dead']);
    expect(statesAccepting('dismissed')).toEqual(['dead']);
    expect(statesAccepting('created')).toEqual([]);
  });
});
