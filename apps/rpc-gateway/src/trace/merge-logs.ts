// The log lines of a picture: records that arrived, and the lines that jobs keep in their events, each once. Pure.
import { ATTR, type TraceLog } from '@trellis/contracts';
import type { Log } from '@trellis/store-traces';
import { shorten } from './draft-nodes.ts';
import type { JobStory } from './job-story.ts';

const MAX_MESSAGE = 2_000;

/** What a line says about where it belongs. */
export interface Place {
  spanId: string | undefined;
  jobId: string | undefined;
  attempt: number | undefined;
}

/** By time. @param nodeFor the node of a picture to which a place belongs */
export function mergeLogs(
  stories: readonly JobStory[],
  records: readonly Log[],
  nodeFor: (place: Place) => string,
): TraceLog[] {
  const arrived = records.map((record) => ofRecord(record, nodeFor));
  const seen = new Set(arrived.map(keyOf));
  const kept = stories.flatMap((story) => linesOf(story, nodeFor)).filter((line) => !seen.has(keyOf(line)));
  const byTime = (a: TraceLog, b: TraceLog) => (a.timestamp < b.timestamp ? -1 : a.timestamp > b.timestamp ? 1 : 0);
  return [...arrived, ...kept].sort(byTime);
}

const keyOf = ({ timestamp, jobId, message }: TraceLog): string => `${timestamp} ${jobId} ${message}`;

function ofRecord(record: Log, nodeFor: (place: Place) => string): TraceLog {
  const { attributes, spanId } = record;
  const jobId = attributes[ATTR.jobId] ?? attributes.jobId;
  const attempt = attributes[ATTR.jobAttempt];
  const traceId = record.traceId || attributes[ATTR.traceId];
  return {
    timestamp: new Date(Number(record.timeNs / 1_000_000n)).toISOString(),
    level: levelOf(record),
    service: record.service,
    message: shorten(record.body, MAX_MESSAGE),
    ...(traceId === undefined ? {} : { traceId }),
    spanId: nodeFor({ spanId, jobId, attempt: attempt === undefined ? undefined : Number(attempt) }),
    ...(jobId === undefined ? {} : { jobId }),
  };
}

const linesOf = (story: JobStory, nodeFor: (place: Place) => string): TraceLog[] =>
  story.lines.map(({ timestamp, level, message, attempt: at }) => {
    const attempt = at === undefined ? undefined : story.attempts[at];
    return {
      timestamp,
      level,
      service: story.service,
      message: shorten(message, MAX_MESSAGE),
      traceId: (attempt ?? story.context).traceId,
      spanId: nodeFor({ spanId: attempt?.spanId, jobId: story.id, attempt: attempt?.number }),
      jobId: story.id,
    };
  });

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

function levelOf({ severityText, severityNumber }: Log): string {
  if (severityText !== '') return severityText.toLowerCase();
  return LEVELS[Math.ceil(severityNumber / 4) - 1] ?? 'info';
}
