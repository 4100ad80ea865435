// The payment provider as the outside world that it is: HTTP on a loopback port. How it behaves is payment-provider.ts.
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { z } from 'zod';
import { type PaymentProvider, ProviderUnavailable } from './payment-provider.ts';

export const ChargeRequest = z.object({ orderId: z.string(), cents: z.int() });
export const ChargeReply = z.object({ receipt: z.string() });
export const Refusal = z.object({ message: z.string() });

export interface PaymentServer {
  url: string;
  close(): Promise<void>;
}

/** POST /charges answers 200 with the receipt, or 503 with the reason. */
export async function servePayments(provider: PaymentProvider): Promise<PaymentServer> {
  const charge = async (request: IncomingMessage, signal: AbortSignal) => {
    const { orderId, cents } = ChargeRequest.parse(await json(request));
    return provider.charge(orderId, cents, signal);
  };
  const server = createServer(async (request, response) => {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const answer = (status: number, body: z.infer<typeof ChargeReply> | z.infer<typeof Refusal>) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    try {
      answer(200, { receipt: await charge(request, gone.signal) });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      answer(error instanceof ProviderUnavailable ? 503 : 400, { message });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
