// Makes up orders: a steady trickle in which every so many has something wrong with it.
import { CLOSED_WAREHOUSE } from './handlers/notify-warehouse.ts';
import type { Order } from './queues.ts';

const CUSTOMERS = ['ada', 'grace', 'edsger', 'barbara', 'donald'];
const ARTICLES = ['lamp', 'chair', 'desk', 'shelf', 'rug', 'clock'];
const WAREHOUSES = ['rotterdam', 'lyon', 'gdansk'];

const pick = <T>(list: readonly T[], index: number): T => list[index % list.length] as T;

/**
 * Order number `number` (from 0): the same number gives the same order. Of thirty, two ask for an article that does not
 * exist, three are declined by the card's bank and two go to a warehouse that is closed.
 * @param run tells the orders of one process from those of another
 */
export function madeUpOrder(run: string, number: number): Order {
  const items = Array.from({ length: 1 + (number % 3) }, (_, index) => ({
    sku: `${pick(ARTICLES, number + index)}-${1 + ((number * 7 + index) % 40)}`,
    quantity: 1 + ((number + index) % 4),
  }));
  if (number % 15 === 7) items.push({ sku: `discontinued-${pick(ARTICLES, number)}`, quantity: 1 });
  return {
    orderId: `order-${run}-${number}`,
    customer: pick(CUSTOMERS, number),
    items,
    totalCents: number % 10 === 4 ? 250_000 : 1_000 + ((number * 737) % 9_000),
    warehouse: number % 15 === 2 ? CLOSED_WAREHOUSE : pick(WAREHOUSES, number),
  };
}
