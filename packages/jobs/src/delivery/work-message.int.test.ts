import { AckPolicy, type JsMsg, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { provision } from '@trellis/nats';
import { startTestNats } from '@trellis/test-support';
import { expect, it } from 'vitest';
import { workEvent } from '../testing/work-event.fixture.ts';
import { readWorkMessage } from './work-message.ts';

it('a delivered message is read from its bytes as it is from its headers', async () => {
  await using nats = await startTestNats();
  const nc = await nats.connect();
  await provision(nc);
  const carried = headers();
  carried.set('traceparent', 'x');
  const data = new TextEncoder().encode(JSON.stringify(workEvent));
  const stream = jetstream(nc);
  await stream.publish('trellis.work.s.t', data, { headers: carried });
  await stream.publish('trellis.work.s.t', data);
  await stream.publish('trellis.jobs.s.t.j1.created', data, { headers: carried });
  const manager = await jetstreamManager(nc);
  await manager.consumers.add('JOBS_WORK', { durable_name: 'c', ack_policy: AckPolicy.Explicit });
  const consumer = await stream.consumers.get('JOBS_WORK', 'c');
  const received: JsMsg[] = [];
  for await (const message of await consumer.fetch({ max_messages: 3 })) received.push(message);

  const expected = { service: 's', jobType: 't', jobsStream: 'JOBS' };
  for (const message of received) {
    // What the library keeps the bytes in: without it, the slow way would be taken silently.
    expect(message).toHaveProperty('msg._rdata', expect.any(Buffer));
    const parsed = { headers: message.headers, data: message.data, seq: message.seq };
    expect(readWorkMessage(message, expected)).toEqual(readWorkMessage(parsed, expected));
  }
  const kinds = received.map((message) => readWorkMessage(message, expected).kind);
  expect(kinds).toEqual(['refused', 'refused', 'work']);
});
