// Which schemas hold no function of their author's: these judge a value without a promise, whatever the value is.
import type { z } from 'zod';

const known = new WeakMap<z.core.$ZodType, boolean>();

/** Whether a schema is made of plain types and of zod's own checks only; false where that cannot be told. */
export function isPlainSchema(schema: z.core.$ZodType): boolean {
  const before = known.get(schema);
  if (before !== undefined) return before;
  // A schema that is part of itself is as plain as its other parts.
  known.set(schema, true);
  const plain = hasOwnChecksOnly(schema) && (partsOf(schema)?.every(isPlainSchema) ?? false);
  known.set(schema, plain);
  return plain;
}

const hasOwnChecksOnly = ({ _zod: { def } }: z.core.$ZodType): boolean =>
  (def.checks ?? []).every((check) => check._zod.def.check !== 'custom');

/** What a schema is made of; undefined for those that ask a function, and for those of other makes. */
function partsOf(schema: z.core.$ZodType): z.core.$ZodType[] | undefined {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case 'any':
    case 'bigint':
    case 'boolean':
    case 'date':
    case 'enum':
    case 'literal':
    case 'never':
    case 'null':
    case 'number':
    case 'string':
    case 'undefined':
    case 'unknown':
    case 'void':
      return [];
    case 'array':
      return [def.element];
    case 'object':
      return [...Object.values(def.shape), ...(def.catchall ? [def.catchall] : [])];
    case 'tuple':
      return [...def.items, ...(def.rest ? [def.rest] : [])];
    case 'record':
      return [def.keyType, def.valueType];
    case 'union':
      return [...def.options];
    case 'intersection':
      return [def.left, def.right];
    case 'nullable':
    case 'optional':
    case 'readonly':
      return [def.innerType];
    default:
      return undefined;
  }
}
