import { afterAll, beforeAll, expect, it } from 'vitest';
import { type GatewayFixture, startGateway } from '../testing/gateway-fixture.ts';
import { newJob } from '../testing/job-events.ts';
import { writeJob } from '../testing/small-projection.ts';

const KIB = 1_024;

let gateway: GatewayFixture;
beforeAll(async () => {
  gateway = await startGateway({ natsConfig: `max_payload: ${64 * KIB}` });
});
afterAll(() => gateway[Symbol.asyncDispose]());

it('shows a job whole: bodies, context, timings', async () => {
  const job = newJob();
  const deadline = '2030-01-01T00:00:00.000Z';
  await gateway.publish(job, 'created', { payload: { sku: 'A-1' }, maxTries: 3, deadline });
  await gateway.publish(job, 'started', { state: 'active', tries: 1, instanceId: 'host-1' });
  await gateway.publish(job, 'progress', { state: 'active', progress: { step: 'pick', current: 1, total: 2 } });
  const lines = [1, 2, 3].map((n) => ({
    timestamp: `2026-01-01T00:00:0${n}.000Z`,
    level: 'info' as const,
    message: `line ${n}`,
  }));
  await gateway.publish(job, 'logged', { state: 'active', logs: lines.slice(0, 2) });
  await gateway.publish(job, 'logged', { state: 'active', logs: lines.slice(2) });
  await gateway.publish(job, 'completed', { state: 'completed', tries: 1, result: { reserved: true } });
  await gateway.projected();
  const reply = await gateway.request('Jobs.Get', { id: job.id });
  expect(reply.body).toEqual({
    job: {
      id: job.id,
      service: job.service,
      type: job.type,
      state: 'completed',
      context: expect.objectContaining({ requestId: `req-${job.id}`, traceId: '0af7651916cd43dd8448eb211c80319c' }),
      payload: { sku: 'A-1' },
      result: { reserved: true },
      createdAt: expect.any(String),
      updatedAt: expect.any(String),
      startedAt: expect.any(String),
      completedAt: expect.any(String),
      tries: 1,
      maxTries: 3,
      deadline,
      progress: { step: 'pick', current: 1, total: 2 },
      instanceId: 'host-1',
      logs: lines,
    },
  });
});

it('looks into the stream for a job that is not projected yet', async () => {
  gateway.projection.hold();
  try {
    const job = newJob();
    await gateway.publish(job, 'created', { payload: { fresh: true } });
    const { body } = await gateway.request('Jobs.Get', { id: job.id });
    expect(body).toMatchObject({ job: { id: job.id, state: 'pending', payload: { fresh: true } }, projected: false });
  } finally {
    gateway.projection.resume();
  }
});

it('drops logs, then the result, then the payload of a job that does not fit, and says which', async () => {
  const size = 45 * KIB;
  const bodies: [fields: object, omitted: string[] | undefined][] = [
    [{ payload: 'p'.repeat(size) }, undefined],
    [{ payload: 'p'.repeat(size), result: 'r'.repeat(size) }, ['result']],
    [{ payload: 'p'.repeat(2 * size), result: 'r'.repeat(size) }, ['result', 'payload']],
    [{ payload: 'p', lastError: 'e'.repeat(2 * size) }, ['payload']],
  ];
  for (const [i, [fields, omitted]] of bodies.entries()) {
    const job = await gateway.jobIn('pending');
    const known = await gateway.reader.getJob(job.id);
    if (!known) throw new Error('the job is not projected');
    await writeJob(gateway.postgres, known, { ...known, ...fields });
    const { body } = await gateway.request('Jobs.Get', { id: job.id });
    expect((body.job as { omitted?: string[] }).omitted, `case ${i}`).toEqual(omitted);
    expect(body.job).toHaveProperty('payload');
  }
});

it('leaves nothing out of a job that fits once it is written without spaces', async () => {
  const payload = Array.from({ length: 24 * KIB }, (_, i) => i % 10);
  const job = await gateway.jobIn('pending');
  const known = await gateway.reader.getJob(job.id);
  if (!known) throw new Error('the job is not projected');
  await writeJob(gateway.postgres, known, { ...known, payload });
  expect((await gateway.reader.shownJob(job.id))?.length).toBeGreaterThan(64 * KIB);
  const { body } = await gateway.request('Jobs.Get', { id: job.id });
  expect(body.job).toMatchObject({ id: job.id, payload });
  expect(body.job).not.toHaveProperty('omitted');
});

it('shows none of the system’s secrets', async () => {
  const job = newJob();
  await gateway.publish(job, 'created', { concurrency: { key: 'k', keyHash: 'h', slotToken: 'the-token' } });
  await gateway.projected();
  const { body } = await gateway.request('Jobs.Get', { id: job.id });
  expect(body).toMatchObject({ job: { concurrency: { key: 'k', keyHash: 'h' } } });
  expect(JSON.stringify(body)).not.toContain('the-token');
});
