// Values of OTLP as the tables hold them: attributes as texts, ids in hexadecimal digits, times in nanoseconds.
import type { Attributes } from '@trellis/store-traces';
import type { AnyValue, Id, Int64, KeyValue } from './otlp-request.ts';

/** Attributes as texts; what is no text is written as JSON. */
export const attributesOf = (pairs: readonly KeyValue[] | undefined): Attributes =>
  Object.fromEntries((pairs ?? []).map(({ key, value }) => [key, valueText(value)]));

export function valueText(value: AnyValue | null | undefined): string {
  const plain = plainValue(value);
  if (typeof plain === 'string') return plain;
  return plain === undefined ? '' : (JSON.stringify(plain) ?? '');
}

/** What the value would be in JSON. */
function plainValue(value: AnyValue | null | undefined): unknown {
  if (!value) return undefined;
  if (value.stringValue !== undefined) return value.stringValue;
  if (value.boolValue !== undefined) return value.boolValue;
  // Whole numbers of 64 bits: as text they keep their last digits.
  if (value.intValue !== undefined) return String(value.intValue);
  if (value.doubleValue !== undefined) {
    return Number.isFinite(value.doubleValue) ? value.doubleValue : String(value.doubleValue);
  }
  if (value.arrayValue) return (value.arrayValue.values ?? []).map(nestedValue);
  if (value.kvlistValue) {
    return Object.fromEntries((value.kvlistValue.values ?? []).map(({ key, value: own }) => [key, nestedValue(own)]));
  }
  if (value.bytesValue !== undefined) {
    return typeof value.bytesValue === 'string' ? value.bytesValue : Buffer.from(value.bytesValue).toString('base64');
  }
  return undefined;
}

function nestedValue(value: AnyValue | null | undefined): unknown {
  if (value?.intValue === undefined) return plainValue(value) ?? null;
  const number = Number(value.intValue);
  return Number.isSafeInteger(number) ? number : String(value.intValue);
}

/** The id in lower-case hexadecimal digits; undefined when it has another length or is all zeroes. */
export function hexId(id: Id | undefined, bytes: number): string | undefined {
  if (id === undefined) return undefined;
  const hex = typeof id === 'string' ? id.toLowerCase() : Buffer.from(id).toString('hex');
  return hex.length === bytes * 2 && /^[0-9a-f]*$/.test(hex) && /[^0]/.test(hex) ? hex : undefined;
}

/** Last moment that every column of a time can hold: the end of 2105. */
const LATEST_NS = 4_291_747_199n * 1_000_000_000n;

/** Nanoseconds since 1970; undefined when there are none, or when no column could hold them. */
export function nanosOf(time: Int64 | undefined): bigint | undefined {
  if (time === undefined || (typeof time === 'number' && !Number.isInteger(time))) return undefined;
  const nanos = BigInt(time);
  return nanos > 0n && nanos <= LATEST_NS ? nanos : undefined;
}
