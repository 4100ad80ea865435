// Checks the events of keyed jobs: which job held which key when, how each ended, in which order they started.
import type { StoredEvent } from '@trellis/contracts';
import { ENDING_EVENTS } from '@trellis/lifecycle';

export interface KeyedHistory {
  jobs: number;
  ended: Record<string, number>;
  /** Jobs that have not ended. */
  open: string[];
  /** Maximum number of jobs that held one key at the same time. */
  mostActive: number;
  /** Violations of the protocol, as sentences. */
  violations: string[];
  attempts: number;
  handedBack: number;
  completionsIgnored: number;
  /** Attempts that started without a work message, from the waiting queue of the key. */
  startedFromStream: number;
}

interface JobSeen {
  key: string;
  end: string | undefined;
  started: boolean;
  token: string | undefined;
}

const endings: ReadonlySet<string> = new Set(ENDING_EVENTS);

/** @param events every event of the queue, in stream order */
export function proveKeyed(events: Iterable<StoredEvent>, maxActive: number): KeyedHistory {
  const jobs = new Map<string, JobSeen>();
  const holders = new Map<string, Set<string>>();
  const admitted = new Map<string, string[]>();
  const started = new Map<string, string[]>();
  const history: KeyedHistory = {
    jobs: 0,
    ended: {},
    open: [],
    mostActive: 0,
    violations: [],
    attempts: 0,
    handedBack: 0,
    completionsIgnored: 0,
    startedFromStream: 0,
  };
  const listOf = (of: Map<string, string[]>, key: string) => of.get(key) ?? of.set(key, []).get(key) ?? [];
  for (const { event, sequence } of events) {
    const { jobId, eventType } = event;
    const wrong = (what: string) => history.violations.push(`${sequence} ${eventType} of ${jobId}: ${what}`);
    if (eventType === 'created') {
      const key = event.concurrency?.keyHash ?? '';
      jobs.set(jobId, { key, end: undefined, started: false, token: undefined });
      listOf(admitted, key).push(jobId);
      continue;
    }
    const job = jobs.get(jobId);
    if (job === undefined) {
      wrong('before its created');
      continue;
    }
    const holding = holders.get(job.key) ?? new Set();
    holders.set(job.key, holding);
    if (eventType === 'staleCompletionIgnored') history.completionsIgnored++;
    if (eventType === 'started') {
      history.attempts++;
      if (event.workSequence === undefined) history.startedFromStream++;
      if (job.end !== undefined) wrong(`after its ${job.end}`);
      if (!job.started) listOf(started, job.key).push(jobId);
      job.started = true;
      job.token = event.concurrency?.slotToken;
      holding.add(jobId);
      history.mostActive = Math.max(history.mostActive, holding.size);
      if (holding.size > maxActive) wrong(`${holding.size} jobs hold the key: ${[...holding].join(', ')}`);
    }
    if (eventType === 'retry') {
      if (event.handedBack) history.handedBack++;
      holding.delete(jobId);
    }
    if (endings.has(eventType)) {
      if (job.end !== undefined) wrong(`a second end after ${job.end}`);
      if (eventType === 'completed' && event.concurrency?.slotToken !== job.token)
        wrong('by a run that lost its lease');
      if (eventType === 'stale' && (event.concurrency?.leaseExpiresAt ?? '9') > event.timestamp)
        wrong('within its lease');
      job.end = eventType;
      history.ended[eventType] = (history.ended[eventType] ?? 0) + 1;
      holding.delete(jobId);
    }
  }
  history.jobs = jobs.size;
  history.open = [...jobs].flatMap(([jobId, { end }]) => (end === undefined ? [jobId] : []));
  for (const [key, order] of started) {
    const wanted = (admitted.get(key) ?? []).filter((jobId) => jobs.get(jobId)?.started);
    const at = order.findIndex((jobId, index) => jobId !== wanted[index]);
    if (at >= 0)
      history.violations.push(`key ${key}: start ${at} was ${order[at]}, admitted at this position: ${wanted[at]}`);
  }
  return history;
}
