import { decodeEvent, type StoredMessage } from '@trellis/contracts';
import { describe, expect, test } from 'vitest';
import { BlockBuffer } from './block-buffer.ts';

const message = (sequence: number, data = 'x'): StoredMessage => ({
  sequence,
  subject: 'trellis.jobs.s.t.j.created',
  storedAt: '2026-01-01T00:00:00.000Z',
  data: Buffer.from(data),
});
const add = (buffer: BlockBuffer, sequence: number, data?: string) => {
  const one = message(sequence, data);
  buffer.add(one, decodeEvent(one));
};

function bufferOf(limit: { rows: number; bytes: number }) {
  const stop = new AbortController();
  return { stop, buffer: new BlockBuffer(1, limit, stop.signal) };
}

describe('BlockBuffer', () => {
  test('is full at its limit of rows or of bytes', () => {
    const { buffer } = bufferOf({ rows: 2, bytes: 10_000 });
    add(buffer, 1);
    expect(buffer.full).toBe(false);
    add(buffer, 2);
    expect(buffer.full).toBe(true);
    buffer.take();
    add(buffer, 3, 'y'.repeat(10_000));
    expect(buffer.full).toBe(true);
  });

  test('fills until no more is to come than is in it', () => {
    const { buffer } = bufferOf({ rows: 10, bytes: 10_000 });
    add(buffer, 1);
    buffer.passed(1, 2, () => undefined);
    expect(buffer.fills).toBe(true);
    add(buffer, 2);
    buffer.passed(2, 1, () => undefined);
    expect(buffer.fills).toBe(false);
  });

  test('a block that is taken in the middle of a batch does not acknowledge the batch', () => {
    const { buffer } = bufferOf({ rows: 10, bytes: 10_000 });
    const acknowledged: string[] = [];
    add(buffer, 1);
    buffer.passed(1, 5, () => acknowledged.push('first batch'));
    add(buffer, 2);
    const taken = buffer.take();
    add(buffer, 3);
    buffer.passed(4, 0, () => acknowledged.push('second batch'));
    taken.ack();
    expect(acknowledged).toEqual(['first batch']);
    expect(taken).toMatchObject({ passed: 2, block: { from: 1, to: 2, rows: 2 } });
    expect(buffer.take()).toMatchObject({ passed: 4, block: { from: 3, to: 3, rows: 1 } });
  });

  test('passes sequences that hold nothing', () => {
    const { buffer } = bufferOf({ rows: 10, bytes: 10_000 });
    expect(buffer.waiting).toBe(false);
    buffer.passed(17, 0, () => undefined);
    expect(buffer.waiting).toBe(true);
    expect(buffer.take()).toMatchObject({ passed: 17, block: { rows: 0 } });
    expect(buffer.waiting).toBe(false);
  });

  test('who waits goes on when it becomes full, when it is taken, and when all ends', async () => {
    const { buffer, stop } = bufferOf({ rows: 1, bytes: 10_000 });
    const full = buffer.until(() => buffer.full);
    add(buffer, 1);
    await full;
    const room = buffer.until(() => !buffer.full);
    buffer.take();
    await room;
    const never = buffer.until(() => false);
    stop.abort();
    await never;
  });
});
