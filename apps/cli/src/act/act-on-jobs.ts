// Does one thing to many jobs, a few at a time, and remembers what became of each. What is done is the command's business.
import { Fault, type FaultCode, type JobReply } from '@trellis/contracts';
import pLimit from 'p-limit';

export type JobOutcome =
  | { id: string; outcome: 'done'; state: string; reply: JobReply }
  | { id: string; outcome: 'failed'; error: { code: FaultCode; message: string } }
  /** It was told to stop, or nobody answered any more. */
  | { id: string; outcome: 'not-tried' };

export interface ActOptions {
  /** Calls under way at once. */
  concurrency: number;
  /** No further job is begun once it aborts. */
  signal?: AbortSignal;
  /** Told after each job. */
  onProgress?: (done: number) => void;
}

/** So many in a row without an answer, and the rest is left alone. */
const GIVE_UP_AFTER = 5;

/** Never rejects for what one job answers; one outcome for each id, in their order. */
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
