// What a payload or a result is once it has been JSON, checked against its schema as the reader will see it.
import { z } from 'zod';
import { jsonForm } from './json-form.ts';
import { isPlainSchema } from './plain-schema.ts';

export type WireValue<Parsed> =
  /** `wire` is what is sent, `parsed` what the schema makes of it. */
  | { kind: 'ok'; wire: unknown; parsed: Parsed }
  /** `field` is the path of the first problem, beginning with the name given. */
  | { kind: 'refused'; field: string; problem: string };

/** Most values are there at once: a promise for each would cost more than the value. */
export type MaybeLater<Value> = Value | Promise<Value>;

/**
 * The JSON form of `value` and what `schema` makes of it: what passes here passes at the other end too.
 * @param name of the value in messages: `payload` or `result`
 */
export function toWire<Schema extends z.ZodType>(
  schema: Schema,
  name: string,
  value: unknown,
): MaybeLater<WireValue<z.output<Schema>>> {
  let wire: unknown;
  try {
    wire = jsonForm(value);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { kind: 'refused', field: name, problem: `has no JSON form (${problem})` };
  }
  return checkWire(schema, name, wire);
}

/** A value that came over the wire, checked against its schema; at once unless the schema takes its time. */
export function checkWire<Schema extends z.ZodType>(
  schema: Schema,
  name: string,
  wire: unknown,
): MaybeLater<WireValue<z.output<Schema>>> {
  // Where no promise is allowed zod takes a tenth of the time. A promise that it meets there is nobody's, and ends the process
  // when it is rejected: no schema is asked so that might make one.
  if (isPlainSchema(schema)) return judged(name, wire, run(schema, wire, AT_ONCE) as z.core.ParsePayload);
  // As safeParseAsync does it, which makes promises for schemas that need none, too.
  const checked = run(schema, wire, LATER_ALLOWED);
  return checked instanceof Promise ? checked.then((late) => judged(name, wire, late)) : judged(name, wire, checked);
}

const AT_ONCE = { async: false };
const LATER_ALLOWED = { async: true };

const run = (schema: z.ZodType, value: unknown, allowed: z.core.ParseContextInternal) =>
  schema._zod.run({ value, issues: [] }, allowed);

function judged<Parsed>(name: string, wire: unknown, { value, issues }: z.core.ParsePayload): WireValue<Parsed> {
  if (issues.length === 0) return { kind: 'ok', wire, parsed: value as Parsed };
  const [first, ...others] = issues.map((issue) => z.core.util.finalizeIssue(issue, LATER_ALLOWED, z.config()));
  const field = [name, ...(first?.path ?? []).map(String)].join('.');
  const more = others.length === 0 ? '' : ` (and ${others.length} more problem${others.length === 1 ? '' : 's'})`;
  return { kind: 'refused', field, problem: `${first?.message ?? 'not accepted'}${more}` };
}

const MAX_TEXT = 8_000;

/** Text that every store takes: no NUL characters or lone surrogates, cut (and marked as cut) when very long. */
export function storableText(text: string): string {
  const clean = text.toWellFormed().replaceAll('\u0000', '\uFFFD');
  if (clean.length <= MAX_TEXT) return clean;
  return `${clean.slice(0, MAX_TEXT).toWellFormed()}… (${clean.length - MAX_TEXT} more characters)`;
}

/** What went wrong, for an event's `error` field. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return storableText(typeof error === 'string' ? error : `thrown: ${describe(error)}`);
  const own = error.message === '' ? error.name : error.message;
  const cause = error.cause instanceof Error && error.cause.message !== '' ? ` (cause: ${error.cause.message})` : '';
  return storableText(`${own}${cause}`);
}

function describe(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
