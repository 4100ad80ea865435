// From the bytes of a request to the request its method expects, or a ValidationError that names every wrong field.
import { Fault, RPC_METHODS, type RpcMethod, type RpcRequest } from '@trellis/contracts';
import type { z } from 'zod';

const utf8 = new TextDecoder('utf-8', { fatal: true });

export interface RequestIssue {
  /** The field, as in `state[0]`; empty for the body itself. */
  field: string;
  message: string;
}

/**
 * The request in `data`; an empty body is `{}`.
 * @throws {Fault} invalid-request, with all problems in `context.issues`
 */
export function readRequest<Method extends RpcMethod>(method: Method, data: Uint8Array): RpcRequest<Method> {
  const body = readObject(data);
  const parsed = RPC_METHODS[method].request.safeParse(body);
  if (parsed.success) return parsed.data as RpcRequest<Method>;
  const issues = parsed.error.issues.map((issue) => describeIssue(issue, body));
  throw invalid(issues);
}

/** A refusal of one or more fields. */
export function invalid(issues: RequestIssue[]): Fault {
  const [first] = issues;
  const text = first === undefined ? 'the request is not valid' : `${first.field || 'body'}: ${first.message}`;
  const others = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
  return new Fault('invalid-request', text + others, { context: { issues } });
}

/** The JSON object in `data`; an empty body is `{}`. @throws {Fault} invalid-request */
export function readObject(data: Uint8Array): Record<string, unknown> {
  let body: unknown = {};
  if (data.length > 0) {
    try {
      body = JSON.parse(utf8.decode(data));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw invalid([{ field: '', message: `expected JSON (${why})` }]);
    }
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw invalid([{ field: '', message: 'expected a JSON object' }]);
  }
  return { ...body };
}

function describeIssue(issue: z.core.$ZodIssue, body: unknown): RequestIssue {
  const field = issue.path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '');
  const value = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], body);
  if (issue.code === 'invalid_value') {
    const accepted = issue.values.map(String).join(', ');
    return { field, message: `unknown value ${shown(value)}, expected one of: ${accepted}` };
  }
  if (value === undefined) return { field, message: `required, ${expectation(issue)}` };
  if (issue.code === 'invalid_type') return { field, message: `${expectation(issue)}, got ${shown(value)}` };
  return { field, message: issue.message };
}

const expectation = (issue: z.core.$ZodIssue): string =>
  issue.code === 'invalid_type'
    ? `expected ${issue.expected === 'int' ? 'an integer' : issue.expected}`
    : issue.message;

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
