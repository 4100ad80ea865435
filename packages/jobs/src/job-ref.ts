// A reference to a job: its id, and a way to wait for its end. Messages seen on its subjects only say when to look.

import { sleep } from '@trellis/async';
import { type EventType, isEventType, type JobState, jobFilter } from '@trellis/contracts';
import { ENDING_EVENTS, type FoldedJob, isEnded } from '@trellis/lifecycle';
import type { JobStream, ReadJob } from '@trellis/nats';
import type { z } from 'zod';
import { ValidationError, WaitTimeoutError } from './errors.ts';
import { checkWire } from './values/wire-value.ts';

export type EndedState = Exclude<JobState, 'pending' | 'active' | 'retry'>;

/** How a job's execution ended. */
export type JobOutcome<Result> =
  | { state: 'completed'; result: Result; error?: undefined }
  | { state: Exclude<EndedState, 'completed'>; result?: undefined; error?: string };

export interface WaitOptions {
  /** Default: no limit. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** Interval of checks without a hint, in milliseconds: the safety net for lost hints. */
const LOOK_EVERY_MS = 10_000;
/** A hint may be ahead of the stream: check again after this many milliseconds. */
const HINT_AGAIN_MS = 100;

/** After servers that did not answer. */
const FAULT_AGAIN_MS = 500;

const endings: ReadonlySet<EventType> = new Set(ENDING_EVENTS);
const isEndingSubject = (subject: string): boolean => {
  const event = subject.slice(subject.lastIndexOf('.') + 1);
  return isEventType(event) && endings.has(event);
};

export class JobRef<Result> {
  readonly id: string;
  readonly service: string;
  readonly type: string;
  readonly #stream: JobStream;
  readonly #result: z.ZodType | undefined;

  constructor(stream: JobStream, job: { id: string; service: string; type: string }, result: z.ZodType | undefined) {
    this.#stream = stream;
    this.#result = result;
    this.id = job.id;
    this.service = job.service;
    this.type = job.type;
  }

  /**
   * Waits until the job's execution has ended. A dead or failed job that is retried later has ended all the same.
   * @throws {WaitTimeoutError} after `timeoutMs`, naming the state last seen
   * @throws the signal's reason when `signal` aborts
   * @throws {Error} when the stream no longer holds the job
   * @throws {ValidationError} when the stored result does not fit the queue's schema
   */
  async wait(options: WaitOptions = {}): Promise<JobOutcome<Result>> {
    const { timeoutMs, signal } = options;
    const ends = timeoutMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs;
    const hints = this.#hints(signal);
    try {
      for (let pauseMs = LOOK_EVERY_MS; ; ) {
        signal?.throwIfAborted();
        const looked = await this.#look();
        if (looked.kind === 'job' && isEnded(looked.job.state)) return await this.#outcome(looked.job);
        const left = ends - performance.now();
        if (left <= 0) {
          const seen = looked.kind === 'job' ? `still ${looked.job.state}` : 'not to be seen';
          throw new WaitTimeoutError(`job ${this.id} is ${seen} after ${timeoutMs} ms`, { cause: looked.error });
        }
        if (looked.kind === 'unreachable') pauseMs = FAULT_AGAIN_MS;
        pauseMs = (await hints.next(Math.min(left, pauseMs))) ? HINT_AGAIN_MS : LOOK_EVERY_MS;
      }
    } finally {
      hints.close();
    }
  }

  /** A wait survives a server that does not answer for a while; a closed connection ends it. */
  async #look(): Promise<{ kind: 'job'; job: FoldedJob; error?: undefined } | { kind: 'unreachable'; error: unknown }> {
    let read: ReadJob;
    try {
      read = await this.#stream.readJob(this.id);
    } catch (error) {
      if (this.#stream.nc.isClosed()) throw error;
      return { kind: 'unreachable', error };
    }
    if (read.job === undefined) throw new Error(`job ${this.id}: the stream holds nothing of it (any more)`);
    return { kind: 'job', job: read.job };
  }

  async #outcome(job: FoldedJob): Promise<JobOutcome<Result>> {
    if (job.state !== 'completed') {
      const state = job.state as Exclude<EndedState, 'completed'>;
      return job.lastError === undefined ? { state } : { state, error: job.lastError };
    }
    if (this.#result === undefined) return { state: 'completed', result: job.result as Result };
    const result = await checkWire(this.#result, 'result', job.result);
    if (result.kind === 'refused') throw new ValidationError(result.field, result.problem);
    return { state: 'completed', result: result.parsed as Result };
  }

  /** `next` resolves true at a hint of the job's end, false after `ms` or when the signal aborts. */
  #hints(signal: AbortSignal | undefined) {
    let wake = new AbortController();
    let seen = false;
    const notice = () => {
      seen = true;
      wake.abort();
    };
    const subscription = this.#stream.nc.subscribe(jobFilter(this.service, this.type, this.id), {
      callback: (error, message) => {
        if (!error && isEndingSubject(message.subject)) notice();
      },
    });
    const abort = () => wake.abort();
    signal?.addEventListener('abort', abort);
    return {
      next: async (ms: number): Promise<boolean> => {
        await sleep(ms, wake.signal);
        const hinted = seen;
        seen = false;
        wake = new AbortController();
        if (signal?.aborted) wake.abort();
        return hinted;
      },
      close: () => {
        signal?.removeEventListener('abort', abort);
        subscription.unsubscribe();
      },
    };
  }
}
