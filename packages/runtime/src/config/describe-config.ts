// A component's configuration as a table for docs/configuration/, made from its schema.
import { z } from 'zod';
import { baseConfig } from './config-parts.ts';
import { environmentName } from './load-config.ts';

interface Described {
  type?: string;
  enum?: unknown[];
  anyOf?: Described[];
  items?: Described;
  default?: unknown;
  description?: string;
}

/** The page of one component: every variable, what it accepts, its default, its meaning. */
export function describeConfig(component: string, schema: z.ZodObject): string {
  const described = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  const required = new Set(described.required ?? []);
  const rows = Object.entries((described.properties ?? {}) as Record<string, Described>)
    .sort(([a], [b]) => Number(a in baseConfig) - Number(b in baseConfig))
    .map(([key, field]) => {
      const fallback =
        key === 'instanceId' ? 'random' : required.has(key) ? '**required**' : shownDefault(field.default);
      return `| \`${environmentName(key)}\` | ${accepts(field)} | ${fallback} | ${field.description ?? ''} |`;
    });
  return `# Configuration of ${component}

Made from the schema in \`apps/${component}/src/config.ts\`. Each variable may instead be given as a file: \`<NAME>_FILE\`.

| variable | accepts | default | meaning |
|---|---|---|---|
${rows.join('\n')}
`;
}

function accepts(field: Described): string {
  if (field.enum) return field.enum.map((value) => `\`${value}\``).join(', ');
  if (field.type === 'array') return `list of ${field.items ? accepts(field.items) : 'values'}`;
  if (field.type === 'object') return 'JSON object';
  if (field.anyOf) return field.anyOf.map(accepts).join(' or ');
  return field.type ?? 'text';
}

const shownDefault = (value: unknown): string => {
  if (value === undefined) return 'none';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
};
