// Calls the payment provider over HTTP. With OpenTelemetry set up, the call is a span of the attempt that makes it.

import type { z } from 'zod';
import { type PaymentProvider, ProviderUnavailable } from './payment-provider.ts';
import { ChargeReply, type ChargeRequest, Refusal } from './payment-server.ts';

/** @param url where the provider is, such as `http://127.0.0.1:8080` */
export const paymentClient = (url: string): PaymentProvider => ({
  async charge(orderId, cents, signal) {
    const request: z.infer<typeof ChargeRequest> = { orderId, cents };
    const response = await fetch(`${url}/charges`, { method: 'POST', body: JSON.stringify(request), signal });
    const body: unknown = await response.json();
    if (response.status === 200) return ChargeReply.parse(body).receipt;
    const { message } = Refusal.parse(body);
    throw response.status === 503 ? new ProviderUnavailable(message) : new Error(message);
  },
});
