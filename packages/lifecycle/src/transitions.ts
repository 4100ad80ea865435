// The life of a job as data: which event leads from which states to which. Everything else that speaks of states
// (SQL checks, docs, badges, CLI) derives from this table.
import { EVENT_TYPES, type EventType, JOB_STATES, type JobState } from '@trellis/contracts';

export interface Transition {
  /** States in which the event has an effect; `none` is a job that does not exist yet. */
  from: readonly (JobState | 'none')[];
  /** State entered; `same` leaves it as it is. */
  to: JobState | 'same';
}

/** States in which execution goes on or may still begin. */
const OPEN = ['pending', 'active', 'retry'] as const satisfies JobState[];

export const TRANSITIONS: Record<EventType, Transition> = {
  created: { from: ['none'], to: 'pending' },
  // From `active`: its worker was lost and the message came again.
  started: { from: OPEN, to: 'active' },
  // Outcomes are accepted from any open state: their `started` may have been lost.
  retry: { from: OPEN, to: 'retry' },
  completed: { from: OPEN, to: 'completed' },
  failed: { from: OPEN, to: 'failed' },
  stale: { from: OPEN, to: 'stale' },
  dead: { from: OPEN, to: 'dead' },
  cancelled: { from: OPEN, to: 'cancelled' },
  expired: { from: OPEN, to: 'expired' },
  skipped: { from: ['pending', 'retry'], to: 'skipped' },
  retried: { from: ['failed', 'dead'], to: 'pending' },
  dismissed: { from: ['dead'], to: 'dismissed' },
  cancelRequested: { from: OPEN, to: 'same' },
  progress: { from: OPEN, to: 'same' },
  logged: { from: OPEN, to: 'same' },
  heartbeat: { from: OPEN, to: 'same' },
  // A fact for the history only: the worker had lost its slot.
  staleCompletionIgnored: { from: [], to: 'same' },
};

/** States that end execution: everything but pending, active and retry. */
export const ENDED_STATES: readonly JobState[] = JOB_STATES.filter(
  (state) => !TRANSITIONS.started.from.includes(state),
);

const ended: ReadonlySet<JobState> = new Set(ENDED_STATES);
export const isEnded = (state: JobState): boolean => ended.has(state);

/** Events that end execution. */
export const ENDING_EVENTS: readonly EventType[] = EVENT_TYPES.filter((type) => {
  const { to } = TRANSITIONS[type];
  return to !== 'same' && isEnded(to);
});

/** The states in which `event` has an effect, for messages to people. */
export const statesAccepting = (event: EventType): JobState[] =>
  TRANSITIONS[event].from.filter((state): state is JobState => state !== 'none');
