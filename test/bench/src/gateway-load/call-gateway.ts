// A process that keeps a fixed number of requests in flight for a fixed time.
import { connectNats } from '@trellis/nats';
import { Latencies, type LatencyFigures } from '../latencies.ts';
import { mixed } from '../order-payload.ts';
import { answerTask } from '../run-task.ts';

export interface CallTask {
  url: string;
  /** Sent in rotation. */
  requests: { subject: string; body: string }[];
  inFlight: number;
  seconds: number;
}

export interface CallFigures {
  perSecond: number;
  refused: number;
  latencies: LatencyFigures;
}

const TIMEOUT_MS = 10_000;
/** Warm-up: new processes compile their code during this time. */
const WARM_UP_SECONDS = 3;

answerTask(async ({ url, requests, inFlight, seconds }: CallTask): Promise<CallFigures> => {
  const nc = await connectNats({ url, name: 'bench load' });
  const latencies = new Latencies();
  let [answered, refused, turn] = [0, 0, 0];
  const from = performance.now() + WARM_UP_SECONDS * 1_000;
  const until = from + seconds * 1_000;
  const lane = async () => {
    for (let now = performance.now(); now < until; ) {
      const request = requests[mixed(turn++) % requests.length];
      if (!request) throw new Error('the list of requests is empty');
      const reply = await nc.request(request.subject, request.body, { timeout: TIMEOUT_MS });
      const then = performance.now();
      if (now >= from && then <= until) {
        answered += 1;
        latencies.add(then - now);
        if (reply.headers?.get('Nats-Service-Error')) refused += 1;
      }
      now = then;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  await nc.close();
  return { perSecond: answered / seconds, refused, latencies: latencies.figures };
});
