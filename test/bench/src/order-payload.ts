// The payload of every generated job: about 200 bytes of JSON, like an order, neither constant nor random.
import { z } from 'zod';

const WORDS = [
  'express',
  'gift',
  'fragile',
  'return',
  'call',
  'before',
  'delivery',
  'leave',
  'at',
  'reception',
  'desk',
];
const CITIES = ['Utrecht', 'Lyon', 'Bergamo', 'Leipzig', 'Porto', 'Malmö', 'Graz'];

export const OrderPayload = z.object({
  orderId: z.string(),
  customer: z.string(),
  sku: z.string(),
  quantity: z.int(),
  cents: z.int(),
  city: z.string(),
  note: z.string(),
  key: z.string(),
});
export type OrderPayload = z.infer<typeof OrderPayload>;

/** The payload of job `index`. Equal indexes give equal payloads. `keys` is the number of different keys. */
export function orderPayload(index: number, keys = 1_000): OrderPayload {
  const pick = mixed(index);
  const word = (place: number) => WORDS[(pick >>> (place * 3)) % WORDS.length] ?? '';
  return {
    orderId: `ORD-${String(1_000_000 + index)}`,
    customer: `customer-${pick % 9_973}`,
    sku: `SKU-${(pick >>> 5) % 500}-${'SML'[pick % 3]}`,
    quantity: 1 + (pick % 9),
    cents: 100 + (pick % 90_000),
    city: CITIES[pick % CITIES.length] ?? '',
    note: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(word).join(' '),
    key: `key-${pick % keys}`,
  };
}

/** Spreads consecutive numbers over 32 bits (the finaliser of MurmurHash3). */
export function mixed(index: number): number {
  let hash = index | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
