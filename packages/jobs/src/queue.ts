// One declared queue: its schemas and settings, checked when it is declared. Names are given by createService.
import { KeyConcurrency, KeyQueuePolicy } from '@trellis/contracts';
import { DEFAULT_BACKOFF_MS } from '@trellis/lifecycle';
import { z } from 'zod';
import { ValidationError } from './errors.ts';
import { checkTemplate } from './keys/key-template.ts';

const DAY_MS = 86_400_000;
const Millis = (min: number) =>
  z
    .int()
    .min(min)
    .max(365 * DAY_MS);

const QueueSettings = z.strictObject({
  /** Attempts before the job is `dead` (or `failed`); an attempt is one `started`. */
  maxDeliver: z.int().min(1).max(10_000).default(5),
  /** Waits after attempt 1, 2, … in milliseconds; the last one repeats. */
  backoffMs: z
    .array(Millis(0))
    .min(1)
    .default(() => [...DEFAULT_BACKOFF_MS]),
  /** The server delivers a job again after this long without an ack or an extension, in milliseconds. */
  ackWaitMs: Millis(100).default(300_000),
  /** Jobs of this queue that one process runs at a time. */
  concurrency: z.int().min(1).max(1_000).default(1),
  /** The job expires this long after its creation; none: never. */
  defaultDeadlineMs: Millis(1).optional(),
  /** Whether `job.progress()` is recorded. */
  progress: z.boolean().default(true),
  /** Whether `job.log()` is recorded. */
  logs: z.boolean().default(true),
  /** Whether a job goes to the dead-letter queue (`dead`) after its last attempt, or ends as `failed`. */
  dlq: z.boolean().default(true),
  /** Limits how many jobs of one key run at a time; none: jobs are independent. */
  keyConcurrency: KeyConcurrency.optional(),
  /** How many jobs of a key may wait, and what `submit` does when there is no room. */
  queue: KeyQueuePolicy.optional(),
});
export type QueueSettings = z.infer<typeof QueueSettings>;

export interface QueueOptions<Payload extends z.ZodType, Result extends z.ZodType>
  extends z.input<typeof QueueSettings> {
  /** Schema of the payload: `create` takes its input, the handler gets its output. The input must survive JSON. */
  payload: Payload;
  /** Schema of the result; default: any JSON value, or nothing. */
  result?: Result;
}

/** A declared queue: schemas and settings with their defaults filled in. */
export interface Queue<Payload extends z.ZodType = z.ZodType, Result extends z.ZodType = z.ZodType> {
  readonly payload: Payload;
  readonly result: Result | undefined;
  readonly settings: QueueSettings;
}

/**
 * Declares a queue.
 * @throws {ValidationError} naming the setting that is wrong and what was expected
 */
export function queue<Payload extends z.ZodType, Result extends z.ZodType = z.ZodUnknown>(
  options: QueueOptions<Payload, Result>,
): Queue<Payload, Result> {
  const { payload, result, ...rest } = options;
  if (!(payload instanceof z.ZodType)) throw new ValidationError('payload', 'expected a zod schema');
  if (result !== undefined && !(result instanceof z.ZodType))
    throw new ValidationError('result', 'expected a zod schema');
  const settings = QueueSettings.safeParse(rest);
  if (!settings.success) {
    const issue = settings.error.issues[0];
    const field = issue?.code === 'unrecognized_keys' ? issue.keys.join(', ') : issue?.path.join('.') || 'queue';
    const known = issue?.code === 'unrecognized_keys' ? `; known: ${Object.keys(QueueSettings.shape).join(', ')}` : '';
    throw new ValidationError(field, `${issue?.message ?? 'not understood'}${known}`);
  }
  return { payload, result, settings: keyedSettings(settings.data, rest) };
}

/** Makes the times of a keyed queue consistent: lowers defaults, refuses explicit values that do not fit. */
function keyedSettings(settings: QueueSettings, given: z.input<typeof QueueSettings>): QueueSettings {
  const { keyConcurrency: keyed } = settings;
  if (keyed === undefined) {
    if (settings.queue !== undefined)
      throw new ValidationError('queue', 'only a queue with keyConcurrency can have it');
    return settings;
  }
  checkTemplate(keyed.key, 'keyConcurrency.key');
  const ttl = keyed.heartbeatTtlMs;
  const longestInterval = Math.floor(ttl / 3);
  if (given.keyConcurrency?.heartbeatIntervalMs !== undefined && keyed.heartbeatIntervalMs > longestInterval) {
    const expected = `expected at most a third of heartbeatTtlMs (${longestInterval})`;
    throw new ValidationError('keyConcurrency.heartbeatIntervalMs', `${expected}, found ${keyed.heartbeatIntervalMs}`);
  }
  const longestAckWait = Math.floor(ttl / 2);
  if (given.ackWaitMs !== undefined && settings.ackWaitMs > longestAckWait) {
    const expected = `expected at most half of keyConcurrency.heartbeatTtlMs (${longestAckWait})`;
    throw new ValidationError('ackWaitMs', `${expected}, found ${settings.ackWaitMs}`);
  }
  // A lost worker is noticed after two intervals; the rest of the lease is left to bring its job back.
  const byDefault = Math.min(keyed.heartbeatIntervalMs, Math.floor(ttl / 4));
  return {
    ...settings,
    ackWaitMs: Math.min(settings.ackWaitMs, longestAckWait),
    keyConcurrency: { ...keyed, heartbeatIntervalMs: given.keyConcurrency?.heartbeatIntervalMs ?? byDefault },
    queue: settings.queue ?? KeyQueuePolicy.parse({}),
  };
}
