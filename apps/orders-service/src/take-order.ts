// How an order comes in: what a web shop's request handler does. The span of the request is the root of all that follows.
import { SpanKind } from '@opentelemetry/api';
import { withSpan } from '@trellis/instrumentation';
import { type Order, type OrderJobs, SERVICE_NAME } from './queues.ts';

/** Resolves when the order's first job is stored; the same order again makes no other job. */
export function takeOrder(jobs: OrderJobs, order: Order, signal: AbortSignal): Promise<void> {
  const attributes = { 'http.request.method': 'POST', 'http.route': '/orders', 'orders.order.id': order.orderId };
  return withSpan(SERVICE_NAME, 'POST /orders', { kind: SpanKind.SERVER, root: true, attributes }, async (span) => {
    await jobs.reserveInventory.create(order, { id: order.orderId, signal });
    span.setAttribute('http.response.status_code', 202);
  });
}
