// Which key a job has: a queue's template, filled in from the payload (docs/protocol.md#keys).
import { hash } from 'node:crypto';
import { ValidationError } from '../errors.ts';

export type ResolvedKey =
  | { kind: 'ok' /** Display key. */; key: string; keyHash: string }
  /** `field` is the path into the payload. */
  | { kind: 'refused'; field: string; problem: string };

const POINTER = /^(\/([^~/]|~[01])*)+$/;

/** @throws {ValidationError} when a segment that begins with `/` is no JSON Pointer */
export function checkTemplate(template: readonly string[], field: string): void {
  for (const [index, segment] of template.entries()) {
    if (segment.startsWith('/') && !POINTER.test(segment)) {
      throw new ValidationError(`${field}.${index}`, `expected a JSON Pointer such as /origin, found "${segment}"`);
    }
  }
}

/**
 * Fills in a template of plain texts and JSON Pointers.
 * @param payload in its JSON form
 */
export function resolveKey(template: readonly string[], payload: unknown): ResolvedKey {
  const segments: (string | number | boolean)[] = [];
  for (const segment of template) {
    if (!segment.startsWith('/')) {
      segments.push(segment);
      continue;
    }
    const path = segment
      .slice(1)
      .split('/')
      .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
    const value = path.reduce(step, payload);
    if (
      typeof value === 'string' ||
      typeof value === 'boolean' ||
      (typeof value === 'number' && Number.isFinite(value))
    ) {
      segments.push(value);
      continue;
    }
    const found =
      value === undefined ? 'nothing' : value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value;
    const problem = `the key of this queue needs a text, a finite number or a boolean here, found ${found}`;
    return { kind: 'refused', field: ['payload', ...path].join('.'), problem };
  }
  return { kind: 'ok', key: segments.join(':'), keyHash: hashOfKey(segments) };
}

/** Lower-case hexadecimal SHA-256 of the versioned compact JSON; types are kept, so `1` and `"1"` differ. */
export const hashOfKey = (segments: readonly (string | number | boolean)[]): string =>
  hash('sha256', JSON.stringify({ version: 1, segments }), 'hex');

function step(at: unknown, token: string): unknown {
  if (typeof at !== 'object' || at === null || !Object.hasOwn(at, token)) return undefined;
  return (at as Record<string, unknown>)[token];
}
