import { readdirSync } from 'node:fs';
import { RPC_METHODS } from '@trellis/contracts';
import { expect, it } from 'vitest';
import { METHODS } from './index.ts';

it('every file beside the list is in the list, and every method of it is one of the protocol', async () => {
  const files = readdirSync(import.meta.dirname).filter((name) => !name.includes('.test.') && name !== 'index.ts');
  expect(METHODS).toHaveLength(files.length);
  for (const file of files) {
    const module: Record<string, unknown> = await import(/* @vite-ignore */ new URL(file, import.meta.url).href);
    expect(
      METHODS.some((method) => Object.values(module).includes(method)),
      file,
    ).toBe(true);
  }
  for (const { name } of METHODS) expect([...Object.keys(RPC_METHODS), 'Jobs.ListDLQ']).toContain(name);
  expect(new Set(METHODS.map((method) => method.name)).size).toBe(METHODS.length);
});
