// Jobs.Trace: the spans and logs of everything that one job touched, as one tree.
import type { TraceReply } from '@trellis/contracts';
import { traceLinks } from '../reads/trace-link.ts';
import { defineMethod } from '../rpc/method.ts';
import { buildTrace } from '../trace/build-trace.ts';
import { collectParts } from '../trace/collect-parts.ts';
import { fitTrace } from '../trace/fit-trace.ts';

export const traceJob = defineMethod({
  name: 'Jobs.Trace',
  async answer({ id }, call, ports): Promise<TraceReply> {
    const parts = await collectParts(id, ports, call.log);
    const { traceIds, nodes, logs, truncated } = buildTrace(parts);
    return {
      id,
      traceIds,
      nodes,
      logs,
      ...(truncated || parts.truncated ? { truncated: true } : {}),
      ...(parts.eventsOnly ? { eventsOnly: true } : {}),
      ...traceLinks(traceIds[0] ?? '', ports.settings.traceUrlTemplate),
    };
  },
  fit: fitTrace,
});
