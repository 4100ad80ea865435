// The words for where a job is and what can happen to it. What leads from one state to another is
// the business of @trellis/lifecycle.
import { z } from 'zod';

export const JOB_STATES = [
  'pending',
  'active',
  'retry',
  'completed',
  'failed',
  'cancelled',
  'expired',
  'skipped',
  'stale',
  'dead',
  'dismissed',
] as const;

export const EVENT_TYPES = [
  'created',
  'started',
  'retry',
  'progress',
  'logged',
  'completed',
  'failed',
  'cancelled',
  'expired',
  'skipped',
  'stale',
  'heartbeat',
  'staleCompletionIgnored',
  'retried',
  'dead',
  'dismissed',
  'cancelRequested',
] as const;

export const JobState = z.enum(JOB_STATES);
export type JobState = z.infer<typeof JobState>;

export const EventType = z.enum(EVENT_TYPES);
export type EventType = z.infer<typeof EventType>;
