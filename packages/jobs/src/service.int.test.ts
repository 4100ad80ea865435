import { silentLogger } from '@trellis/async';
import { TopologyMismatch } from '@trellis/nats';
import { startTestNats, type TestNats } from '@trellis/test-support';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createService, queue, ValidationError } from './index.ts';

let nats: TestNats;
beforeAll(async () => {
  nats = await startTestNats();
});
afterAll(() => nats.stop());

const work = queue({ payload: z.object({}) });
const log = silentLogger();

describe('a wrong name is refused before anything is touched', () => {
  it.each<[string, object, string]>([
    ['a dot in the service', { name: 'a.b' }, 'name:'],
    ['the reserved service', { name: 'workers' }, 'name:'],
    ['a blank in a queue', { queues: { 'a b': work } }, 'queues.a b:'],
    ['a dot in the instance', { instanceId: 'a.b' }, 'instanceId:'],
    ['two queues of one alias', { queues: { 'a-b': work, aB: work } }, 'queues.aB: cannot be told from "a-b"'],
  ])('%s', async (_, options, message) => {
    const refused = createService({ name: 's', nats: { url: nats.url }, queues: { work }, log, ...options });
    await expect(refused).rejects.toBeInstanceOf(ValidationError);
    await expect(refused).rejects.toThrow(message);
  });
});

it('the streams are made by whoever comes first, and a stream that differs is reported', async () => {
  const create = (streamNames?: object) =>
    createService({
      name: 's',
      nats: { url: nats.url },
      queues: { work },
      log,
      ...(streamNames ? { streamNames: streamNames as never } : {}),
    });
  const services = await Promise.all([create(), create(), create()]);
  await Promise.all(services.map((service) => service.stop()));
  const mixedUp = { jobs: 'JOBS', work: 'JOBS_ADVISORIES', advisories: 'X', presence: 'Y' };
  await expect(create(mixedUp)).rejects.toBeInstanceOf(TopologyMismatch);
});

it('one handler a queue', async () => {
  const connection = await nats.connect();
  const service = await createService({ name: 's', nats: connection, queues: { 'some-work': work }, log });
  await service.jobs.someWork.handle(() => {});
  expect(service.jobs.someWork).toBe(service.jobs['some-work']);
  await expect(service.jobs['some-work'].handle(() => {})).rejects.toThrow('has a handler already');
  expect(() => service.check()).not.toThrow();
  await service.stop();
});
