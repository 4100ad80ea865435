import { expect, it } from 'vitest';
import { CLOSED_WAREHOUSE } from './handlers/notify-warehouse.ts';
import { madeUpOrder } from './order-generator.ts';
import { Order } from './queues.ts';

const orders = Array.from({ length: 30 }, (_, number) => madeUpOrder('x', number));

it('every order is a valid one with an id of its own, and the same number makes the same order', () => {
  for (const order of orders) expect(Order.parse(order)).toEqual(order);
  expect(new Set(orders.map(({ orderId }) => orderId)).size).toBe(30);
  expect(madeUpOrder('x', 7)).toEqual(orders[7]);
  expect(madeUpOrder('y', 7).orderId).not.toBe(orders[7]?.orderId);
});

it('of thirty some go wrong in each way, and most do not', () => {
  const discontinued = orders.filter(({ items }) => items.some(({ sku }) => sku.startsWith('discontinued-')));
  const declined = orders.filter(({ totalCents }) => totalCents > 100_000);
  const closed = orders.filter(({ warehouse }) => warehouse === CLOSED_WAREHOUSE);
  expect([discontinued.length, declined.length, closed.length]).toEqual([2, 3, 2]);
  expect(new Set([...discontinued, ...declined, ...closed]).size).toBeLessThan(10);
});
