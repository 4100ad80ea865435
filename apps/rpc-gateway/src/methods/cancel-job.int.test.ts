import { Fault, JOB_STATES, jobFilter } from '@trellis/contracts';
import { statesAccepting } from '@trellis/lifecycle';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayFixture, startGateway } from '../testing/gateway-fixture.ts';
import { eventOf, newJob } from '../testing/job-events.ts';

let gateway: GatewayFixture;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());

const cancel = (id: string, more: { force?: boolean; reason?: string } = {}) =>
  gateway.client.rpc.jobs.cancel({ id, ...more });
const refused = (promise: Promise<unknown>): Promise<Fault> =>
  promise.then(
    () => Promise.reject(new Error('was not refused')),
    (fault: unknown) => {
      if (fault instanceof Fault) return fault;
      throw fault;
    },
  );

describe('Jobs.Cancel', () => {
  for (const state of ['pending', 'retry'] as const) {
    it(`ends a job in ${state} at once, with who asked and why`, async () => {
      const job = await gateway.jobIn(state);
      const reply = await gateway.client.rpc.jobs.cancel({ id: job.id, reason: 'customer called' }, { actorId: 'ann' });
      expect(reply.job).toMatchObject({ id: job.id, state: 'cancelled' });
      expect(reply.projected).toBeUndefined();
      expect(reply.forced).toBeUndefined();
      const { events } = await gateway.stream.readJob(job.id);
      expect(events.at(-1)?.event).toMatchObject({
        eventType: 'cancelled',
        previousState: state,
        actor: { kind: 'operator', id: 'ann' },
        reason: 'customer called',
        context: { requestId: `req-${job.id}` },
      });
    });
  }

  it('asks an active job to end and shows it active until its worker says more', async () => {
    const job = await gateway.jobIn('active');
    const first = await cancel(job.id);
    expect(first.job.state).toBe('active');
    expect(first.job.cancelRequestedAt).toEqual(expect.any(String));
    const second = await cancel(job.id);
    expect(second.job.cancelRequestedAt).toBe(first.job.cancelRequestedAt);
    expect(await gateway.eventsOf(job, 'cancelRequested')).toBe(1);
    await gateway.publish(job, 'cancelled', { state: 'cancelled' });
    await gateway.projected();
    expect((await gateway.client.rpc.jobs.get({ id: job.id })).state).toBe('cancelled');
  });

  it('ends an active job at once with force, and says that it was running', async () => {
    const job = await gateway.jobIn('active');
    const reply = await cancel(job.id, { force: true });
    expect(reply).toMatchObject({ job: { state: 'cancelled' }, forced: true });
    expect(await gateway.eventsOf(job, 'cancelled')).toBe(1);
  });

  for (const state of JOB_STATES.filter((one) => !statesAccepting('cancelled').includes(one))) {
    it(`refuses a job that is ${state}, naming the state and those it accepts, and publishes nothing`, async () => {
      const job = await gateway.jobIn(state);
      const { lastSequence } = await gateway.stream.info();
      for (const force of [false, true]) {
        const fault = await refused(cancel(job.id, { force }));
        expect(fault).toMatchObject({ code: 'state-conflict', type: 'ValidationError', status: 409 });
        expect(fault.message).toBe(`job ${job.id} is ${state}; Jobs.Cancel accepts pending, active, retry`);
        expect(fault.details).toMatchObject({
          jobId: job.id,
          context: { state, accepted: ['pending', 'active', 'retry'] },
        });
      }
      expect((await gateway.stream.info()).lastSequence).toBe(lastSequence);
    });
  }

  it('says NotFound only after it has looked into the stream', async () => {
    const fault = await refused(cancel('no-such-job'));
    expect(fault).toMatchObject({ code: 'not-found', details: { resource: 'job', jobId: 'no-such-job' } });
    gateway.projection.hold();
    try {
      const job = newJob();
      await gateway.publish(job, 'created');
      const reply = await cancel(job.id);
      expect(reply).toMatchObject({ job: { state: 'cancelled' }, projected: false });
    } finally {
      gateway.projection.resume();
    }
  });

  it.for(['pending', 'active'] as const)('stores one event however many ask at once (%s)', async (state) => {
    const job = await gateway.jobIn(state);
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, () =>
        cancel(job.id).then(
          ({ job }) => job.state,
          (fault: Fault) => fault.code,
        ),
      ),
    );
    // Who read the job after it had ended gets the conflict; nobody gets anything else.
    const expected = state === 'pending' ? ['cancelled', 'state-conflict'] : ['active'];
    expect(expected).toEqual(expect.arrayContaining([...new Set(outcomes)]));
    expect(outcomes).toContain(expected[0]);
    expect(await gateway.eventsOf(job, state === 'pending' ? 'cancelled' : 'cancelRequested')).toBe(1);
  });

  it("gives the winner's job to those who lost the race", async () => {
    const job = await gateway.jobIn('pending');
    gateway.projection.hold();
    try {
      // All of them decide on the same row, which does not change meanwhile.
      const replies = await Promise.all(Array.from({ length: 20 }, () => cancel(job.id)));
      expect(new Set(replies.map((reply) => reply.job.state))).toEqual(new Set(['cancelled']));
      expect(await gateway.eventsOf(job, 'cancelled')).toBe(1);
    } finally {
      gateway.projection.resume();
    }
  });

  it('stores one event however many force at once', async () => {
    const job = await gateway.jobIn('active');
    const replies = await Promise.all(
      Array.from({ length: 100 }, () => cancel(job.id, { force: true }).catch(() => undefined)),
    );
    expect(replies.filter((reply) => reply?.job.state === 'cancelled').length).toBeGreaterThan(0);
    expect(await gateway.eventsOf(job, 'cancelled')).toBe(1);
  });

  it('decides anew when its row is behind: a job that has started is asked, not ended', async () => {
    const job = await gateway.jobIn('pending');
    gateway.projection.hold();
    try {
      await gateway.publish(job, 'started', { state: 'active' });
      const reply = await cancel(job.id);
      expect(reply).toMatchObject({
        job: { state: 'active', cancelRequestedAt: expect.any(String) },
        projected: false,
      });
      expect(await gateway.eventsOf(job, 'cancelled')).toBe(0);
    } finally {
      gateway.projection.resume();
    }
  });

  it('refuses a job whose end is not projected yet', async () => {
    for (const state of ['pending', 'active'] as const) {
      const job = await gateway.jobIn(state);
      gateway.projection.hold();
      try {
        await gateway.publish(job, 'completed', { state: 'completed' });
        expect(await refused(cancel(job.id))).toMatchObject({
          code: 'state-conflict',
          details: { context: { state: 'completed' } },
        });
      } finally {
        gateway.projection.resume();
      }
    }
  });

  it('cancels a job that was retried although its row still shows it failed', async () => {
    const job = await gateway.jobIn('failed');
    gateway.projection.hold();
    try {
      await gateway.publish(job, 'retried', { state: 'pending' });
      expect(await cancel(job.id)).toMatchObject({ job: { state: 'cancelled' }, projected: false });
    } finally {
      gateway.projection.resume();
    }
  });

  it('says that it acted as a forced cancel when the started of an older worker slipped in', async () => {
    const job = await gateway.jobIn('pending');
    const { stream } = gateway;
    // What a cluster can do: between the look and the accepted event lies a started that the condition did not see.
    const slippery = Object.create(stream, {
      publish: {
        value: async (event: Parameters<typeof stream.publish>[0], options: Parameters<typeof stream.publish>[1]) => {
          if (event.eventType !== 'cancelled') return stream.publish(event, options);
          expect(options?.expect?.filter).toBe(jobFilter(job.service, job.type, job.id));
          await stream.publish(eventOf(job, 'started'));
          return stream.publish(event);
        },
      },
    });
    const { cancelJob } = await import('./cancel-job.ts');
    const { silentLogger } = await import('@trellis/async');
    const call = {
      requestId: 'r',
      traceId: undefined,
      actorId: undefined,
      log: silentLogger(),
      maxReplyBytes: 1_000_000,
    };
    const data = new TextEncoder().encode(JSON.stringify({ id: job.id }));
    const reply = await cancelJob.handle(data, call, { ...gateway.ports, stream: slippery });
    expect(JSON.parse(reply.toString())).toMatchObject({ job: { state: 'cancelled' }, forced: true });
  });

  it('publishes cancelled at once for fleets that know nothing else, where the gateway is set so', async () => {
    await using other = await startGateway({ settings: { cancelActiveByForce: true } });
    const job = await other.jobIn('active');
    expect(await other.client.rpc.jobs.cancel({ id: job.id })).toMatchObject({
      job: { state: 'cancelled' },
      forced: true,
    });
    const asked = await other.jobIn('active');
    expect(await other.client.rpc.jobs.cancel({ id: asked.id, force: false })).toMatchObject({
      job: { state: 'active' },
    });
  });
});
