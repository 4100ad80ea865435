// What the SDK throws, and what a handler may throw to say what it means.
// How an error becomes a lifecycle event is decide-outcome.ts.

/** A value or setting is not what was expected; the message begins with the field. */
export class ValidationError extends Error {
  override readonly name = 'ValidationError';
  readonly field: string;

  /** @param problem what was expected, or what is wrong with the value */
  constructor(field: string, problem: string, options?: ErrorOptions) {
    super(`${field}: ${problem}`, options);
    this.field = field;
  }
}

/** `create` of a keyed queue: the key has no room for another job. Nothing was created. */
export class AdmissionRejected extends Error {
  override readonly name = 'AdmissionRejected';
  readonly reason: 'active-limit' | 'queue-depth';
  /** Display key. */
  readonly key: string;

  constructor(key: string, reason: 'active-limit' | 'queue-depth') {
    super(
      reason === 'active-limit'
        ? `key ${key}: \`maxActive\` jobs of this key are running, and queueing is off (\`maxQueuedPerKey: 0\`)`
        : `key ${key}: \`maxQueuedPerKey\` jobs of this key are waiting`,
    );
    this.key = key;
    this.reason = reason;
  }
}

/** Thrown (or returned) by a handler: this job fails now, another attempt would not help. */
export class NonRetryableError extends Error {
  override readonly name = 'NonRetryableError';
}

/** Why a running handler was asked to stop. */
export const STOP_REASONS = ['cancelRequested', 'cancelled', 'expired', 'dead', 'stale', 'shutdown'] as const;
export type StopReason = (typeof STOP_REASONS)[number];

/** The `reason` of a handler's aborted signal; thrown by `signal.throwIfAborted()`. */
export class JobStopped extends Error {
  override readonly name = 'JobStopped';
  readonly because: StopReason;

  constructor(because: StopReason, detail?: string) {
    super(detail === undefined ? `the job was stopped: ${because}` : `the job was stopped: ${because} (${detail})`);
    this.because = because;
  }
}

/** `JobRef.wait` ran out of time. The job continues. */
export class WaitTimeoutError extends Error {
  override readonly name = 'WaitTimeoutError';
}

/** The work consumer's name is taken by a consumer that would not deliver this queue's work. */
export class ConsumerConflict extends Error {
  override readonly name = 'ConsumerConflict';
}
