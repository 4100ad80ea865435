import { afterEach, expect, it } from 'vitest';
import { paymentClient } from './payment-client.ts';
import { type PaymentProvider, ProviderUnavailable } from './payment-provider.ts';
import { type PaymentServer, servePayments } from './payment-server.ts';

let server: PaymentServer;
const clientOf = async (charge: PaymentProvider['charge']) => {
  server = await servePayments({ charge });
  return paymentClient(server.url);
};
afterEach(() => server.close());

const signal = new AbortController().signal;

it('a charge goes over HTTP and comes back as the receipt', async () => {
  const client = await clientOf(async (orderId, cents) => `receipt-${orderId}-${cents}`);
  expect(await client.charge('o1', 500, signal)).toBe('receipt-o1-500');
});

it('a provider that is down is told from a request that it does not take, and both by their reason', async () => {
  const client = await clientOf(async () => {
    throw new ProviderUnavailable('the payment provider is down (503)');
  });
  await expect(client.charge('o1', 500, signal)).rejects.toThrow(
    new ProviderUnavailable('the payment provider is down (503)'),
  );
  const refused = await fetch(`${server.url}/charges`, { method: 'POST', body: '{"orderId": 7}' });
  expect(refused.status).toBe(400);
  await expect(client.charge('o1', 0.5, signal)).rejects.toThrow(/cents/);
});

it('a call that is called off ends at both sides', async () => {
  const atProvider = Promise.withResolvers<AbortSignal>();
  const client = await clientOf((_orderId, _cents, called) => {
    atProvider.resolve(called);
    return new Promise((_, reject) => called.addEventListener('abort', () => reject(called.reason)));
  });
  const cancelled = new AbortController();
  const charge = client.charge('o1', 500, cancelled.signal);
  const atServer = await atProvider.promise;
  cancelled.abort(new Error('cancelled'));
  await expect(charge).rejects.toThrow('cancelled');
  await expect.poll(() => atServer.aborted).toBe(true);
});
