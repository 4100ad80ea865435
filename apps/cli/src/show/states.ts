// Colours of states, events and health: the same state has the same colour everywhere.
import type { EventType, HealthReply, JobState } from '@trellis/contracts';
import { TRANSITIONS } from '@trellis/lifecycle';
import type { Style } from '../terminal/terminal.ts';

export const STATE_STYLE: Record<JobState, Style> = {
  pending: 'cyan',
  active: 'blue',
  retry: 'yellow',
  completed: 'green',
  failed: 'red',
  cancelled: 'magenta',
  expired: 'magenta',
  skipped: 'gray',
  stale: 'magenta',
  dead: ['red', 'bold'],
  dismissed: 'gray',
};

/** The style of the state after the event; gray if the event does not change the state. */
export function eventStyle(type: EventType): Style {
  const { to } = TRANSITIONS[type];
  return to === 'same' ? 'gray' : STATE_STYLE[to];
}

export const HEALTH_STYLE: Record<HealthReply['status'], Style> = {
  healthy: 'green',
  degraded: 'yellow',
  unhealthy: ['red', 'bold'],
};
