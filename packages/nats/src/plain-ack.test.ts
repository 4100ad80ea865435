import { expect, it } from 'vitest';
import { sequenceOfPlainAck } from './plain-ack.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

it.each([
  ['{"stream":"JOBS", "seq":1}', 1],
  ['{"stream":"JOBS","seq":1203456789}', 1_203_456_789],
  ['{"stream":"Jobs-2_é", "seq":999999999999999}', 999_999_999_999_999],
])('%s tells a sequence', (text, sequence) => {
  expect(sequenceOfPlainAck(bytes(text))).toBe(sequence);
});

it.each([
  '',
  '{}',
  '}',
  '5}',
  '{"stream":"JOBS", "seq":}',
  '{"stream":"JOBS", "seq":-1}',
  '{"stream":"JOBS", "seq":1.5}',
  '{"stream":"JOBS", "seq":1e5}',
  '{"stream":"JOBS", "seq":12',
  '{"stream":"JOBS", "seq":1234567890123456}',
  '{"stream":"JOBS", "seq":1,"duplicate": true}',
  '{"stream":"JOBS", "duplicate": true,"seq":1}',
  '{"stream":"JOBS", "domain":"hub", "seq":1}',
  '{"stream":"a\\"b", "seq":1}',
  '{"error":{"code":400},"stream":"JOBS", "seq":0}',
  '{"error":{"code":400,"seq":7}',
])('%s is left to JSON', (text) => {
  expect(sequenceOfPlainAck(bytes(text))).toBeUndefined();
});
