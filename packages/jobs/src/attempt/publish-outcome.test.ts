import { JetStreamApiError } from '@nats-io/jetstream';
import { silentLogger } from '@trellis/async';
import type { LifecycleEvent } from '@trellis/contracts';
import { type JobStream, PublishError, type PublishOptions, type PublishOutcome } from '@trellis/nats';
import { expect, it } from 'vitest';
import { publishUntilKnown } from './publish-outcome.ts';

const event: LifecycleEvent = {
  jobId: 'j1',
  service: 's',
  jobType: 't',
  eventType: 'completed',
  state: 'completed',
  timestamp: '2026-01-31T09:30:00.000Z',
  context: { requestId: 'r', traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
  tries: 1,
};
const unknown = () => new PublishError('not known to be stored');
const log = silentLogger();

/** A stream that gives these answers one after the other. */
function answering(answers: (PublishOutcome | Error)[], conditionalFilter = true) {
  const asked: PublishOptions[] = [];
  const stream: Pick<JobStream, 'publish' | 'features'> = {
    features: { conditionalFilter, multiGet: true, atomicBatch: true },
    publish: async (_, options = {}) => {
      asked.push(options);
      const answer = answers.shift();
      if (answer === undefined || answer instanceof Error) throw answer ?? new Error('asked too often');
      return answer;
    },
  };
  return { asked, stream: stream as JobStream };
}
const signal = new AbortController().signal;

it('an outcome that is not known is asked for again with the same message id, until it is known', async () => {
  const { asked, stream } = answering([unknown(), unknown(), { kind: 'stored', sequence: 7 }]);
  expect(await publishUntilKnown(stream, event, { signal, log })).toEqual({ kind: 'stored', sequence: 7 });
  expect(asked).toHaveLength(3);
  expect(new Set(asked.map(({ messageId }) => messageId)).size).toBe(1);
  expect(asked[0]?.messageId).toMatch(/^[0-9A-Z]{26}$/);
});

it('a condition that did not hold is an answer', async () => {
  const expect_ = { lastSequence: 3, filter: 'trellis.jobs.s.t.j1.*' };
  const { asked, stream } = answering([{ kind: 'conflict', lastSequence: 4 }]);
  expect(await publishUntilKnown(stream, event, { expect: expect_, signal, log })).toEqual({
    kind: 'conflict',
    lastSequence: 4,
  });
  expect(asked[0]?.expect).toEqual(expect_);
});

it('where the server knows no conditions over a filter, the message id is left to say the condition', async () => {
  const { asked, stream } = answering([{ kind: 'stored', sequence: 7 }], false);
  await publishUntilKnown(stream, event, { expect: { lastSequence: 3, filter: 'x' }, signal, log });
  expect(asked[0]).not.toHaveProperty('messageId');
});

it('what the server refuses for good is not tried again', async () => {
  const cause = new JetStreamApiError({
    code: 400,
    err_code: 10054,
    description: 'message size exceeds maximum allowed',
  });
  const refusal = new PublishError('refused', { refused: true, cause });
  const { asked, stream } = answering([refusal]);
  expect(await publishUntilKnown(stream, event, { signal, log })).toEqual({ kind: 'refused', error: refusal });
  expect(asked).toHaveLength(1);
});

it('a host that halts waits no longer', async () => {
  const { stream } = answering([unknown()]);
  await expect(publishUntilKnown(stream, event, { signal: AbortSignal.abort(), log })).rejects.toBeInstanceOf(
    PublishError,
  );
});
