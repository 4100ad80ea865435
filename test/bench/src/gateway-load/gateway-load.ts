// gateway load: a closed loop of requests to one and to two gateways, compared with an echo service with replies of the same
// length.
import { join } from 'node:path';
import { atLeast, type BenchContext, type BenchEntry, type BenchResult, reported } from '../bench-entry.ts';
import { startBenchStack } from '../bench-stack.ts';
import { machineBusy } from '../process-usage.ts';
import { fillJobTable } from '../query/job-table.ts';
import { type OpenGateway, openGateway } from '../query/open-gateway.ts';
import { shown } from '../query/query.ts';
import { runTask } from '../run-task.ts';
import type { CallFigures, CallTask } from './call-gateway.ts';

const GOAL = 0.5;
/** The rate of two gateways ÷ that of one must be at least this, if the cores have time left. */
const SECOND_MAKES = 1.5;
const IN_FLIGHT = 128;
const SCHEMA = 'bench_gateway';
const CALL_FILE = join(import.meta.dirname, 'call-gateway.ts');

export const gatewayLoad: BenchEntry = {
  name: 'gateway-load',
  measures: `RPCs, ${IN_FLIGHT} in flight, to one and to two gateways, beside an echo service with replies of the same length`,
  run,
};

type Measured = CallFigures & { busy: number };

async function run(context: BenchContext): Promise<BenchResult[]> {
  const { say, sizes } = context;
  await using stack = await startBenchStack(context, ['nats', 'postgres']);
  await fillJobTable(stack.urls.postgres, SCHEMA, sizes.tableJobs);
  await using gateway = await openGateway(stack, SCHEMA);
  const measure = async (name: string, requests: CallTask['requests']): Promise<Measured> => {
    const task: CallTask = { url: stack.urls.nats, requests, inFlight: IN_FLIGHT, seconds: sizes.seconds };
    const { result, busy } = await machineBusy(() => runTask<CallFigures>(CALL_FILE, task));
    if (result.refused > 0) throw new Error(`${result.refused} of the replies to ${name} were errors`);
    say(`${name}: ${Math.round(result.perSecond)} /s, ${shown(result.latencies)}, cores ${percent(busy)} busy`);
    return { ...result, busy };
  };
  const { echo, get, mix } = await requestsOf(gateway);
  const figures = {
    echo: await measure('echo', echo),
    get: await measure('Get', get),
    mix: await measure('Get, List, Health', mix),
  };
  await stack.start('rpc-gateway', { DATABASE_SCHEMA: SCHEMA });
  const twice = { get: await measure('Get, two gateways', get), mix: await measure('mix, two gateways', mix) };

  const row = (name: string, ours: Measured, besideName: string, beside: Measured) => ({
    row: `gateway load: ${name}`,
    ours: shownCall(ours),
    beside: `${besideName} ${shownCall(beside)}`,
    ratio: ours.perSecond / beside.perSecond,
    figures: {
      inFlight: IN_FLIGHT,
      seconds: sizes.seconds,
      tableJobs: sizes.tableJobs,
      coresBusy: percent(ours.busy),
      coresBusyBeside: percent(beside.busy),
    },
  });
  const ofGet = row('Get', figures.get, 'echo', figures.echo);
  const ofTwo = row('Get, two gateways', twice.get, 'one', figures.get);
  const hasTime = figures.get.busy * SECOND_MAKES <= 1;
  return [
    { ...ofGet, ...atLeast(ofGet.ratio, GOAL) },
    {
      ...ofTwo,
      ...(hasTime
        ? atLeast(ofTwo.ratio, SECOND_MAKES)
        : { ...reported, ratio: ofTwo.ratio, goal: `with one the cores were ${percent(figures.get.busy)} busy` }),
    },
    { ...reported, ...row('Get, List and Health', figures.mix, 'echo', figures.echo) },
    { ...reported, ...row('Get, List and Health, two gateways', twice.mix, 'one', figures.mix) },
  ];
}

/** The requests: an echo as long as a job, single jobs, and the mix that a console sends. */
async function requestsOf(gateway: OpenGateway) {
  const { ids } = gateway.samples;
  const [first = ''] = ids;
  const bytes = JSON.stringify(await gateway.client.rpc.jobs.get({ id: first })).length;
  const get = ids.map((id) => ({ subject: 'rpc.v1.Jobs.Get', body: JSON.stringify({ id }) }));
  const list = [{ limit: 20 }, { service: 'billing', limit: 20 }, { state: ['dead'], limit: 20 }].map((request) => ({
    subject: 'rpc.v1.Jobs.List',
    body: JSON.stringify(request),
  }));
  const health = { subject: 'rpc.v1.Jobs.Health', body: '{}' };
  return {
    echo: [{ subject: gateway.echoSubject, body: String(bytes) }],
    get,
    // Of ten requests seven are Get, two List, one Health.
    mix: Array.from({ length: 70 }, (_, index) => get[index] ?? health)
      .concat(Array.from({ length: 20 }, (_, index) => list[index % list.length] ?? health))
      .concat(Array.from({ length: 10 }, () => health)),
  };
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;
const shownCall = ({ perSecond, latencies }: CallFigures): string => `${Math.round(perSecond)} /s, ${shown(latencies)}`;
