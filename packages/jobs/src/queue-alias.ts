// The camelCase form of a job type, by which its queue can be reached as a property: type and value.

/** `reserve-inventory` → `reserveInventory`. */
export type Alias<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<Alias<Tail>>}`
  : Name;

export const aliasOf = (name: string): string =>
  name
    .split('-')
    .map((part, index) => (index === 0 ? part : part.charAt(0).toUpperCase() + part.slice(1)))
    .join('');
