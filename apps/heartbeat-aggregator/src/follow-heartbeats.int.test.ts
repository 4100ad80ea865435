import { silentLogger } from '@trellis/async';
import { heartbeatSubject } from '@trellis/contracts';
import { JobStream, provision } from '@trellis/nats';
import { startTestNats, waitFor } from '@trellis/test-support';
import { expect, it, vi } from 'vitest';
import { followHeartbeats } from './follow-heartbeats.ts';

it('heartbeats that come while the server says where its stream ends are no reason to start over', async () => {
  await using nats = await startTestNats();
  const nc = await nats.connect();
  await provision(nc);
  const stream = await JobStream.open(await nats.connect());
  const streams = stream.jsm.streams;
  const info = streams.info.bind(streams);
  let heard = 0;
  // Between the server's answer and its arrival another heartbeat is heard, every time.
  vi.spyOn(streams, 'info').mockImplementation(async (name) => {
    const found = await info(name);
    const before = heard;
    nc.publish(heartbeatSubject('s', 't', 'a'), '{}');
    if (looks++ > 0) await waitFor(() => heard > before, { what: 'the heartbeat' });
    return found;
  });
  let looks = 0;
  let caughtUp = 0;
  let ended = false;
  const stopping = new AbortController();
  const following = followHeartbeats({
    stream,
    signal: stopping.signal,
    log: silentLogger(),
    checkEveryMs: 20,
    heard: () => void heard++,
    caughtUp: () => void caughtUp++,
  }).finally(() => {
    ended = true;
  });
  await waitFor(() => caughtUp >= 10 || ended, { what: 'ten looks at the end of the stream' });
  expect(ended).toBe(false);
  stopping.abort();
  await following;
});
