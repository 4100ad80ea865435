// Calls one RPC for many jobs with limited concurrency, and collects one outcome per job. The call is left to the caller.
import { Fault, type FaultCode, type JobReply } from '@trellis/contracts';
import pLimit from 'p-limit';

export type JobOutcome =
  | { id: string; outcome: 'done'; state: string; reply: JobReply }
  | { id: string; outcome: 'failed'; error: { code: FaultCode; message: string } }
  /** The user stopped the command, or the gateway no longer answered. */
  | { id: string; outcome: 'not-tried' };

export interface ActOptions {
  /** Maximum number of calls in flight. */
  concurrency: number;
  /** No further call starts once it aborts. */
  signal?: AbortSignal;
  /** Called after each job. */
  onProgress?: (done: number) => void;
}

/** After this many consecutive calls without an answer the remaining jobs are not tried. */
const GIVE_UP_AFTER = 5;

/** One outcome per id, in the order of the ids. A `Fault` of one job is an outcome and does not reject. */
export async function actOnJobs(
  ids: readonly string[],
  act: (id: string) => Promise<JobReply>,
  { concurrency, signal, onProgress }: ActOptions,
): Promise<JobOutcome[]> {
  const limit = pLimit(concurrency);
  let unanswered = 0;
  let done = 0;
  const one = async (id: string): Promise<JobOutcome> => {
    if (signal?.aborted || unanswered >= GIVE_UP_AFTER) return { id, outcome: 'not-tried' };
    try {
      const reply = await act(id);
      unanswered = 0;
      return { id, outcome: 'done', state: reply.job.state, reply };
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      unanswered = error.code === 'unavailable' ? unanswered + 1 : 0;
      return { id, outcome: 'failed', error: { code: error.code, message: error.message } };
    } finally {
      done++;
      onProgress?.(done);
    }
  };
  return Promise.all(ids.map((id) => limit(() => one(id))));
}
