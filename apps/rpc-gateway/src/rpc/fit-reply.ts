// Shortens replies to fit into one message and names what was left out (docs/protocol.md#rpcs). Pure.
import type { Job, JobReply } from '@trellis/contracts';

/** Characters that are left of an error that does not fit even without bodies. */
const SHORT_ERROR = 4_096;
const BODIES = ['logs', 'result', 'payload'] as const;

export const jsonBytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

/** The job without logs, then without its result, then without its payload, until it has at most `maxBytes`. */
export function fitJob(job: Job, maxBytes: number): Job {
  let fitted = job;
  for (const body of BODIES) {
    if (jsonBytes(fitted) <= maxBytes) return fitted;
    if (fitted[body] !== undefined) fitted = without(fitted, body);
  }
  if (jsonBytes(fitted) <= maxBytes) return fitted;
  // What is left are short texts, unless a service misuses them: no job may keep its page from being shown.
  const { lastError, progress: _progress, ...rest } = fitted;
  if (lastError === undefined || lastError.length <= SHORT_ERROR) return rest;
  return { ...rest, lastError: `${lastError.slice(0, SHORT_ERROR)}… (${lastError.length} characters)` };
}

export const fitJobReply = (reply: JobReply, maxBytes: number): JobReply => ({
  ...reply,
  job: fitJob(reply.job, maxBytes - jsonBytes({ ...reply, job: null })),
});

function without(job: Job, body: (typeof BODIES)[number]): Job {
  const omitted = [...(job.omitted ?? []), body];
  // Clients of the public schema require a payload.
  if (body === 'payload') return { ...job, payload: { $omitted: jsonBytes(job.payload) }, omitted };
  const { [body]: _left, ...rest } = job;
  return { ...rest, omitted } as Job;
}
