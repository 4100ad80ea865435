// A process that only consumes and parses the heartbeats: the minimal cost.
import { DeliverPolicy, jetstream } from '@nats-io/jetstream';
import { DEFAULT_STREAM_NAMES } from '@trellis/contracts';
import { connectNats } from '@trellis/nats';
import { answerTask } from '../run-task.ts';

answerTask(async ({ url }: { url: string }) => {
  const nc = await connectNats({ url, name: 'bench raw consumer' });
  const consumer = await jetstream(nc).consumers.get(DEFAULT_STREAM_NAMES.presence, {
    deliver_policy: DeliverPolicy.LastPerSubject,
  });
  const messages = await consumer.consume({ max_messages: 10_000 });
  void (async () => {
    for await (const message of messages) message.json();
  })();
  return { ready: true };
});
