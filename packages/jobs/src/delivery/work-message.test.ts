import { headers } from '@nats-io/transport-node';
import { describe, expect, it } from 'vitest';
import { workEvent } from '../testing/work-event.fixture.ts';
import { readWorkMessage } from './work-message.ts';

const LISTS =
  'trellis.jobs.*.*.*.created\ftrellis.jobs.*.*.*.retried trellis.work.{{wildcard(1)}}\ftrellis.work.{{wildcard(1)}}';
const source = (subject = ' trellis.jobs.s.t.j1.created', stream = 'JOBS', sequence = '42') =>
  `${stream} ${sequence} ${LISTS}${subject}`;

const message = (sourceHeader: string | undefined, changes: object = {}) => {
  const carried = headers();
  carried.set('traceparent', 'x');
  if (sourceHeader !== undefined) carried.set('Nats-Stream-Source', sourceHeader);
  const data = new TextEncoder().encode(JSON.stringify({ ...workEvent, ...changes }));
  return { headers: carried, data, seq: 7 };
};
const read = (...args: Parameters<typeof message>) =>
  readWorkMessage(message(...args), { service: 's', jobType: 't', jobsStream: 'JOBS' });

it('the origin is read from the source header', () => {
  expect(read(source())).toMatchObject({
    kind: 'work',
    work: {
      key: 'j1:42',
      jobId: 'j1',
      origin: { sequence: 42, event: 'created' },
      workSequence: 7,
      event: { payload: { n: 1 } },
    },
  });
});

it('a server that does not say the original subject is answered by the body', () => {
  expect(read(source(''))).toMatchObject({ kind: 'work', work: { origin: { sequence: 42, event: 'created' } } });
});

describe('a message that is no work is refused with the reason', () => {
  it.each([
    ['published straight to the work subject', undefined, {}, /header is missing/],
    ['sourced from another stream', source(undefined, 'OTHER'), {}, /sourced from OTHER/],
    ['without a sequence', source(undefined, 'JOBS', 'x'), {}, /unreadable sequence/],
    ['of another service', source(' trellis.jobs.x.t.j1.created'), { service: 'x' }, /work of x\/t, expected s\/t/],
    ['whose body says another job', source(), { jobId: 'j2' }, /jobId: the body says "j2"/],
    ['without a payload', source(), { payload: undefined }, /payload: required field is missing/],
    ['of an event that is no origin', source(' trellis.jobs.s.t.j1.started'), { eventType: 'started' }, /"started"/],
    ['that names no job at all', source(''), { jobId: undefined }, /names no job/],
  ])('%s', (_, header, changes, reason) => {
    const result = read(header, changes);
    expect(result.kind === 'refused' ? result.reason : result).toMatch(reason);
  });

  it('without any headers', () => {
    const bare = { ...message(undefined), headers: undefined };
    expect(readWorkMessage(bare, { service: 's', jobType: 't', jobsStream: 'JOBS' }).kind).toBe('refused');
  });
});
