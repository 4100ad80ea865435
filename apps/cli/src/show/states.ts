// How states and events look: the same colour for the same state everywhere.
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

/** The style of the state that the event leads to; grey for one that leads nowhere. */
export function eventStyle(type: EventType): Style {
  const { to } = TRANSITIONS[type];
  return to === 'same' ? 'gray' : STATE_STYLE[to];
}

export const HEALTH_STYLE: Record<HealthReply['status'], Style> = {
  healthy: 'green',
  degraded: 'yellow',
  unhealthy: ['red', 'bold'],
};
