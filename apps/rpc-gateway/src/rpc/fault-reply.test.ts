import { TimeoutError } from '@nats-io/transport-node';
import { Fault } from '@trellis/contracts';
import { PublishError } from '@trellis/nats';
import { StoreUnavailable } from '@trellis/store-postgres';
import { expect, it } from 'vitest';
import { faultReply } from './fault-reply.ts';

it.for<[unknown, number, string]>([
  [new Fault('invalid-request', 'm'), 400, 'ValidationError'],
  [new Fault('state-conflict', 'm'), 409, 'ValidationError'],
  [new Fault('not-found', 'm'), 404, 'NotFoundError'],
  [new StoreUnavailable('m'), 503, 'UnexpectedError'],
  [new PublishError('subject', { refused: false, cause: undefined }), 503, 'UnexpectedError'],
  [new PublishError('subject', { refused: true, cause: undefined }), 500, 'UnexpectedError'],
  [new TimeoutError(), 503, 'UnexpectedError'],
  [new TypeError('cannot read x of undefined'), 500, 'UnexpectedError'],
  ['a thrown text', 500, 'UnexpectedError'],
])('%s is answered with %i', ([error, status, type]) => {
  const reply = faultReply(error, 'f'.repeat(32));
  expect(reply.status).toBe(status);
  expect(reply.body).toMatchObject({ type, id: reply.id, traceId: 'f'.repeat(32) });
});

it('carries what was found out for the caller, on one header line', () => {
  const details = { resource: 'job', jobId: 'j', context: { state: 'dead' } };
  const { body, headline } = faultReply(new Fault('not-found', 'line one\r\nline two', details), undefined);
  expect(body).toMatchObject(details);
  expect(body).not.toHaveProperty('traceId');
  expect(headline).toBe('line one line two');
});

it('says nothing of an error that was not meant for callers, but where to find it', () => {
  const reply = faultReply(new Error('password is hunter2'), undefined);
  expect(JSON.stringify(reply.body) + reply.headline).not.toContain('hunter2');
  expect(reply.body.message).toContain(reply.id);
});
