// Selects the log lines of a job from its trace: those in the span of its creation and below, and those with its job id.
import type { TraceLog, TraceReply } from '@trellis/contracts';

/** @param own only the job's own lines, without those of the jobs that it created */
export function selectLogs({ id, nodes, logs }: TraceReply, own: boolean): TraceLog[] {
  const spans = new Set(spansOf(id, nodes, own));
  return logs.filter(
    ({ jobId, spanId }) => jobId === id || (jobId === undefined || !own ? spans.has(spanId ?? '') : false),
  );
}

/** Nodes are in depth-first order: the descendants of a node follow it and have a greater depth. */
function spansOf(id: string, nodes: TraceReply['nodes'], own: boolean): string[] {
  const found: string[] = [];
  let inside: number | undefined;
  let foreign: number | undefined;
  for (const { depth, jobId, spanId } of nodes) {
    if (inside !== undefined && depth <= inside) inside = undefined;
    if (foreign !== undefined && depth <= foreign) foreign = undefined;
    if (jobId === id && inside === undefined) inside = depth;
    if (own && jobId !== undefined && jobId !== id) foreign ??= depth;
    if (inside !== undefined && foreign === undefined) found.push(spanId);
  }
  return found;
}
