// Replays an event vector through decodeEvent and reduce, one message after the other, as a projector does.
import { decodeEvent, type QuarantineCode } from '@trellis/contracts';
import { type FoldedJob, reduce } from '../reduce.ts';
import type { EventVector } from './event-vectors.ts';
import { vectorBody } from './event-vectors.ts';

export interface Replayed {
  jobs: Map<string, FoldedJob>;
  quarantined: { event: number; code: QuarantineCode }[];
}

/** @param times how often each message is seen; every time after the first must change nothing */
export function replayVector({ events }: EventVector, times = 1): Replayed {
  const jobs = new Map<string, FoldedJob>();
  const purged = new Set<string>();
  const quarantined: Replayed['quarantined'] = [];
  for (const [index, message] of events.entries()) {
    if ('purge' in message) {
      purged.add(message.purge);
      continue;
    }
    // Presence is no lifecycle event: a projector's filter keeps it out.
    if (message.subject.split('.').length !== 6) continue;
    const sequence = index + 1;
    const storedAt = new Date(Date.UTC(2026, 0, 1) + index).toISOString();
    const decoded = decodeEvent({ subject: message.subject, sequence, storedAt, data: vectorBody(message) });
    if (decoded.kind === 'quarantined') {
      quarantined.push({ event: sequence, code: decoded.quarantined.code });
      continue;
    }
    const { jobId, eventType } = decoded.stored.event;
    const before = eventType === 'created' && purged.delete(jobId) ? undefined : jobs.get(jobId);
    const outcome = reduce(before, decoded.stored);
    if (outcome.kind === 'applied') jobs.set(jobId, outcome.job);
    else if (outcome.why === 'foreign-owner') quarantined.push({ event: sequence, code: 'foreign-owner' });
    for (let again = 1; again < times; again++) {
      const repeated = reduce(jobs.get(jobId), decoded.stored);
      if (repeated.kind === 'applied') throw new Error(`event ${sequence} changes the job when it is seen again`);
    }
  }
  return { jobs, quarantined };
}
