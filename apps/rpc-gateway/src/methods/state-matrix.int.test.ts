// Every action on a job in every state, and Get in each: the documented answer. The states are made by events of the stream
// that the real projector has projected.
import { Fault, JOB_STATES, type Job, type JobReply, type JobState } from '@trellis/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayFixture, startGateway } from '../testing/gateway-fixture.ts';

let gateway: GatewayFixture;
beforeAll(async () => {
  gateway = await startGateway({ realProjector: true, settings: { projectionWaitMs: 20_000 } });
}, 90_000);
afterAll(() => gateway[Symbol.asyncDispose]());

const jobs = () => gateway.client.rpc.jobs;

interface Action {
  name: string;
  method: string;
  call: (id: string) => Promise<JobReply>;
  /** State accepted → what the reply says. */
  answers: Partial<Record<JobState, Partial<JobReply>>>;
}

const job = (state: JobState, fields: Partial<Job> = {}) => ({ job: expect.objectContaining({ state, ...fields }) });
const ACTIONS: Action[] = [
  {
    name: 'Cancel',
    method: 'Jobs.Cancel',
    call: (id) => jobs().cancel({ id }),
    answers: {
      pending: job('cancelled'),
      retry: job('cancelled'),
      active: job('active', { cancelRequestedAt: expect.any(String) }),
    },
  },
  {
    name: 'Cancel with force',
    method: 'Jobs.Cancel',
    call: (id) => jobs().cancel({ id, force: true }),
    answers: { pending: job('cancelled'), retry: job('cancelled'), active: { ...job('cancelled'), forced: true } },
  },
  {
    name: 'Retry',
    method: 'Jobs.Retry',
    call: (id) => jobs().retry({ id }),
    answers: { failed: job('pending', { tries: 0, payload: expect.objectContaining({ order: expect.any(String) }) }) },
  },
  {
    name: 'ReplayDLQ',
    method: 'Jobs.ReplayDLQ',
    call: (id) => jobs().replayDLQ({ id }),
    answers: { dead: job('pending', { tries: 0, payload: expect.objectContaining({ order: expect.any(String) }) }) },
  },
  {
    name: 'DismissDLQ',
    method: 'Jobs.DismissDLQ',
    call: (id) => jobs().dismissDLQ({ id }),
    answers: { dead: job('dismissed') },
  },
];

describe.for(ACTIONS)('$name', ({ method, call, answers }) => {
  it.for(JOB_STATES)('of a job that is %s', async (state) => {
    const { id } = await gateway.jobIn(state);
    const before = await gateway.stream.readJob(id);
    const answer = answers[state];
    if (answer) {
      const reply = await call(id);
      expect(reply).toMatchObject(answer);
      expect(reply).not.toHaveProperty('projected');
      // The reply is what everybody sees from now on.
      expect(await jobs().get({ id })).toEqual(reply.job);
      expect((await gateway.stream.readJob(id)).events).toHaveLength(before.events.length + 1);
      return;
    }
    const error = await call(id).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    const accepted = JOB_STATES.filter((one) => answers[one] !== undefined);
    expect(error).toBeInstanceOf(Fault);
    expect(error).toMatchObject({
      code: 'state-conflict',
      type: 'ValidationError',
      status: 409,
      message: `job ${id} is ${state}; ${method} accepts ${accepted.join(', ')}`,
      details: { jobId: id, context: { state, accepted } },
    });
    expect((await gateway.stream.readJob(id)).lastSequence).toBe(before.lastSequence);
  });
});

it.for(JOB_STATES)('Get of a job that is %s', async (state) => {
  const { id } = await gateway.jobIn(state);
  expect(await jobs().get({ id })).toMatchObject({ id, state, maxTries: 5, payload: { order: id } });
  const { entries } = await jobs().list({ state: [state], limit: 1_000 });
  expect(entries.map((entry) => entry.id)).toContain(id);
});
