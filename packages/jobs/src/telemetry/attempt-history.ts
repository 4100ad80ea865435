// What came before an attempt, as far as its spans tell of it: when the work was due, and which attempt it follows. Pure but
// for one look at a job that is run again, which only traced services make.
import { decodeEvent } from '@trellis/contracts';
import { retryDelayMs } from '@trellis/lifecycle';
import type { JobStream } from '@trellis/nats';
import type { JobSnapshot, LastEvent } from '../attempt/decide-delivery.ts';
import type { Work } from '../delivery/work-message.ts';

export interface AttemptHistory {
  /** When the work became due, in milliseconds since the epoch. */
  dueAt: number;
  /** When it could have started: after the wait between attempts. */
  readyAt: number;
  /** When the job was created; undefined when that is not known. */
  createdAt: number | undefined;
  /** W3C `traceparent` of the attempt before. */
  previous: string | undefined;
  /** The attempt before has no outcome: its worker was lost. */
  previousLost: boolean;
}

/** The past of a first attempt, as its work message tells it. */
export function historyOfWork({ origin, event }: Work): AttemptHistory {
  const dueAt = Date.parse(event.timestamp);
  return {
    dueAt,
    readyAt: dueAt,
    createdAt: origin.event === 'created' ? dueAt : undefined,
    previous: undefined,
    previousLost: false,
  };
}

/** The past of an attempt before which the job was looked at. */
export function historyOfSnapshot(
  look: JobSnapshot | undefined,
  work: Work,
  backoffMs: readonly number[],
): AttemptHistory {
  const history = historyOfWork(work);
  const since = (seen: LastEvent | undefined) => (seen && seen.sequence > work.origin.sequence ? seen : undefined);
  const started = since(look?.last.get('started'));
  if (look === undefined || started === undefined) return history;
  const retry = since(look.last.get('retry'));
  const gaveUp = retry && retry.sequence > started.sequence ? retry : undefined;
  const lastSign = Math.max(
    ...Array.from(look.last.values(), (seen) => (since(seen) ? Date.parse(seen.event.timestamp) : 0)),
  );
  const dueAt = gaveUp ? Date.parse(gaveUp.event.timestamp) : lastSign;
  const delayed = gaveUp !== undefined && !gaveUp.event.handedBack;
  return {
    ...history,
    dueAt,
    readyAt: dueAt + (delayed ? retryDelayMs(backoffMs, look.tries) : 0),
    previous: started.event.attemptTraceparent,
    previousLost: gaveUp === undefined,
  };
}

/** Adds what a `retried` does not say: when the job was created, and the last attempt of the run before. Never rejects. */
export async function withEarlierRun(stream: JobStream, work: Work, history: AttemptHistory): Promise<AttemptHistory> {
  if (history.createdAt !== undefined) return history;
  const { service, jobType, jobId } = work.event;
  try {
    const messages = await stream.lastOfEvents(service, jobType, jobId, ['created', 'started']);
    const eventOf = (type: 'created' | 'started') => {
      const message = messages.get(type);
      const decoded = message && decodeEvent(message);
      return decoded?.kind === 'event' ? decoded.stored.event : undefined;
    };
    const created = eventOf('created');
    return {
      ...history,
      createdAt: created && Date.parse(created.timestamp),
      previous: history.previous ?? eventOf('started')?.attemptTraceparent,
    };
  } catch {
    // A span that stands alone is better than work that waits for its picture.
    return history;
  }
}
