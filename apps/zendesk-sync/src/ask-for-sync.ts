// How a sync is asked for: what the handler of a webhook does. The span of the request is the root of all that follows.
import { SpanKind } from '@opentelemetry/api';
import { withSpan } from '@trellis/instrumentation';
import { SERVICE_NAME, type SyncQueue, type SyncRequest } from './queues.ts';

/** @returns what became of the request: see `JobQueue.submit` */
export function askForSync(queue: SyncQueue, request: SyncRequest, signal: AbortSignal): Promise<string> {
  const attributes = { 'http.request.method': 'POST', 'http.route': '/syncs', 'sync.origin': request.origin };
  return withSpan(SERVICE_NAME, 'POST /syncs', { kind: SpanKind.SERVER, root: true, attributes }, async (span) => {
    const { outcome } = await queue.submit(request, { signal });
    span.setAttribute('http.response.status_code', outcome === 'rejected' ? 429 : 202);
    return outcome;
  });
}
