import { decodeEvent } from '@trellis/contracts';
import { reduce } from '@trellis/lifecycle';
import { backlogEvents } from '../../../test/bench/src/backlog.ts';
const enc = new TextEncoder();
const msgs = [...backlogEvents(20000)].map((e, i) => ({ subject: `trellis.jobs.${e.service}.${e.jobType}.${e.jobId}.${e.eventType}`, sequence: i + 1, storedAt: '2026-01-01T00:00:00.000Z', data: enc.encode(JSON.stringify(e)) }));
const dec = new TextDecoder();
for (let r = 0; r < 3; r++) {
  let c = process.cpuUsage(); for (const m of msgs) JSON.parse(dec.decode(m.data)); let d = process.cpuUsage(c); console.log('parse us', ((d.user + d.system) / msgs.length).toFixed(2));
  c = process.cpuUsage(); for (const m of msgs) decodeEvent(m); d = process.cpuUsage(c); console.log('decodeEvent us', ((d.user + d.system) / msgs.length).toFixed(2));
}
