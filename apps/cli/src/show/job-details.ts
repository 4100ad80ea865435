// One job with all its fields.
import type { Job, JobReply } from '@trellis/contracts';
import { plain, type Terminal } from '../terminal/terminal.ts';
import { columns } from './columns.ts';
import { STATE_STYLE } from './states.ts';
import { absolute, duration, timeOfDay } from './times.ts';

/** @param now milliseconds; the reference for ages */
export function showJob(job: Job, terminal: Terminal, now = Date.now()): void {
  const { print, style } = terminal;
  print(`${style('bold', job.id)}  ${job.service} / ${job.type}`);
  print('');
  print(columns(facts(job, terminal, now).map(([name, value]) => [style('dim', name), value])));
  section('payload', json(job.payload), terminal);
  if (job.result !== undefined) section('result', json(job.result), terminal);
  if (job.logs !== undefined && job.logs.length > 0) {
    const lines = job.logs.map(({ timestamp, level, message }) => [timeOfDay(timestamp), level, plain(message)]);
    section('logs', columns(lines), terminal);
  }
}

/** Remarks on what the reply lacks, and on a state that lists do not show yet. */
export function remarksOn({ job, projected }: JobReply): string[] {
  const remarks: string[] = [];
  if (job.omitted !== undefined) remarks.push(`too large for one message, left out: ${job.omitted.join(', ')}`);
  if (job.headMissing) remarks.push("the job's first events are no longer in the stream: its payload is unknown");
  if (projected === false) remarks.push('read from the stream: the projection is not that far yet');
  return remarks;
}

function facts(job: Job, { style }: Terminal, now: number): [string, string][] {
  const at = (instant: string | undefined) => (instant === undefined ? undefined : absolute(instant, now));
  const started = job.startedAt === undefined ? undefined : Date.parse(job.startedAt);
  const ran =
    started === undefined || job.completedAt === undefined
      ? undefined
      : duration(Date.parse(job.completedAt) - started);
  const { current, total, step, message } = job.progress ?? {};
  const share = current === undefined ? undefined : total === undefined ? `${current}` : `${current}/${total}`;
  const progress = [share, step, message].filter((part) => part !== undefined).map((part) => plain(part));
  const known: [string, string | undefined][] = [
    ['state', style(STATE_STYLE[job.state] ?? 'white', job.state) + (job.workerLost ? ' (its worker is gone)' : '')],
    ['tries', `${job.tries} of ${job.maxTries}`],
    ['error', job.lastError === undefined ? undefined : style('red', plain(job.lastError))],
    ['progress', progress.length === 0 ? undefined : progress.join('  ')],
    ['created', at(job.createdAt)],
    ['started', at(job.startedAt)],
    ['cancel asked', at(job.cancelRequestedAt)],
    ['ended', at(job.completedAt)],
    ['last attempt took', ran],
    ['updated', at(job.updatedAt)],
    ['deadline', at(job.deadline)],
    ['worker', shown(job.instanceId)],
    ['key', shown(job.concurrency?.key)],
    ['queue policy', job.queuePolicy === undefined ? undefined : json(job.queuePolicy).replace(/\s+/g, ' ')],
    ['request', shown(job.context.requestId)],
    ['trace', shown(job.context.traceId)],
    ['traceparent', shown(job.context.traceparent)],
    ['tracestate', shown(job.context.tracestate)],
    ['trace page', shown(job.links?.trace)],
  ];
  return known.filter((fact): fact is [string, string] => fact[1] !== undefined);
}

const shown = (text: string | undefined): string | undefined => (text === undefined ? undefined : plain(text));

function section(title: string, body: string, { print, style }: Terminal): void {
  print('');
  print(style('dim', title));
  print(body.replace(/^/gm, '  '));
}

// JSON.stringify escapes all control characters except DEL and C1.
const json = (value: unknown): string => (JSON.stringify(value, null, 2) ?? 'null').replace(/[^\P{Cc}\n]/gu, ' ');
