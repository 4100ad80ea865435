// The minimal service over NATS, in a separate process: each reply has as many bytes as the request asks for.
import { Svcm } from '@nats-io/services';
import { connectNats } from '@trellis/nats';
import { answerTask } from '../run-task.ts';

export interface EchoTask {
  url: string;
  subject: string;
}

answerTask(async ({ url, subject }: EchoTask) => {
  const nc = await connectNats({ url, name: 'bench echo' });
  const reply = Buffer.alloc(nc.info?.max_payload ?? 0, 'x');
  const service = await new Svcm(nc).add({ name: 'bench-echo', version: '1.0.0', queue: 'echo' });
  service.addEndpoint('echo', {
    subject,
    handler: (_error, message) => message.respond(reply.subarray(0, Number(message.string()))),
  });
  await nc.flush();
  return { ready: true };
});
