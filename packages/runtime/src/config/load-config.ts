// Reads a component's configuration from the environment, once, at start. The schema is the only home of names,
// units and defaults; every problem is reported at once.
import { readFileSync } from 'node:fs';
import { redactUrl } from '@trellis/contracts';
import { distance } from 'fastest-levenshtein';
import type { z } from 'zod';

/** Every problem found in the environment, one a line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: string[];

  constructor(problems: string[]) {
    super(
      `the configuration has ${problems.length} problem(s):\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
    );
    this.problems = problems;
  }
}

/** `ackWaitMs` → `ACK_WAIT_MS`. */
export const environmentName = (key: string): string => key.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase();

/**
 * The configuration that `schema` describes, read from `env`: field `ackWaitMs` from ACK_WAIT_MS, or from the file
 * that ACK_WAIT_MS_FILE names (for secrets). Numbers, booleans and objects are written as JSON, lists as JSON or
 * with commas.
 * @throws {ConfigError} naming every wrong variable, what was expected and the nearest known name
 */
export function loadConfig<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  env: Record<string, string | undefined> = process.env,
): z.infer<z.ZodObject<Shape>> {
  const problems: string[] = [];
  const known = new Map(Object.keys(schema.shape).map((key) => [environmentName(key), key]));
  const values: Record<string, unknown> = {};
  for (const [name, key] of known) {
    const text = readVariable(name, env, problems);
    if (text === undefined) continue;
    const field = schema.shape[key] as z.ZodType;
    const accepted = readings(text).find((value) => field.safeParse(value).success);
    if (accepted === undefined) {
      const issue = field.safeParse(readings(text).at(-1)).error?.issues[0];
      const shown = looksSecret(name) ? '' : `, got ${JSON.stringify(text.slice(0, 200))}`;
      problems.push(`${name}: ${issue?.message ?? 'not understood'}${shown}`);
    } else {
      values[key] = accepted;
    }
  }
  for (const name of Object.keys(env)) {
    const plain = name.replace(/_FILE$/, '');
    if (known.has(plain) || plain.length < 6 || env[name] === undefined) continue;
    const near = [...known.keys()].find(
      (candidate) => env[candidate] === undefined && distance(candidate, plain) === 1,
    );
    if (near) problems.push(`${name}: not known; did you mean ${near}?`);
  }
  const result = schema.safeParse(values);
  if (!result.success) {
    for (const issue of result.error.issues) {
      const name = environmentName(String(issue.path[0] ?? ''));
      if (!problems.some((problem) => problem.startsWith(`${name}:`))) problems.push(`${name}: ${issue.message}`);
    }
  }
  if (problems.length > 0 || !result.success) throw new ConfigError(problems);
  return result.data;
}

/** For a `main.ts`: the configuration of this process; where it is wrong, says everything about it and ends with code 2. */
export function configOrExit<Shape extends z.ZodRawShape>(schema: z.ZodObject<Shape>): z.infer<z.ZodObject<Shape>> {
  try {
    return loadConfig(schema);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}

function readVariable(name: string, env: Record<string, string | undefined>, problems: string[]): string | undefined {
  const file = env[`${name}_FILE`];
  if (env[name] !== undefined && env[name] !== '') return env[name];
  if (file === undefined || file === '') return undefined;
  try {
    return readFileSync(file, 'utf8').trimEnd();
  } catch (error) {
    problems.push(`${name}_FILE: cannot be read (${error instanceof Error ? error.message : String(error)})`);
    return undefined;
  }
}

/** What a text may stand for, in the order in which a schema is asked: JSON (if it is any), the text itself, a list. */
function readings(text: string): unknown[] {
  const list = text.split(',').map((part) => part.trim());
  try {
    return [text, list, JSON.parse(text)];
  } catch {
    return [list, text];
  }
}

const looksSecret = (name: string): boolean => /URL|PASSWORD|SECRET|TOKEN|OPTIONS|CREDS|HEADERS/i.test(name);

/** A copy for the log: credentials in URLs and secret-looking fields are masked. */
export function redactConfig(config: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => {
      if (/password|secret|token|options|creds|headers/i.test(key)) {
        const empty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
        return [key, value === undefined || empty ? value : '[redacted]'];
      }
      return [key, typeof value === 'string' ? redactUrl(value) : value];
    }),
  );
}
