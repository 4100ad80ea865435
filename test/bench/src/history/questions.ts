// The queries of dashboards: as docs/analytics.md writes them for the public views, and the same for a raw table of events.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../bench-stack.ts';

export interface Question {
  /** Its heading in docs/analytics.md. */
  name: string;
  ours: string;
  raw: string;
}

const RAW_FOLDER = join(import.meta.dirname, 'raw-questions');

/** @throws Error if the page no longer has a query that is measured here */
export function dashboardQuestions(): Question[] {
  const page = readFileSync(join(root, 'docs', 'analytics.md'), 'utf8');
  return readdirSync(RAW_FOLDER).map((file) => {
    const raw = readFileSync(join(RAW_FOLDER, file), 'utf8');
    const name = /^-- (.*)/.exec(raw)?.[1] ?? file;
    const section = page.split(/^### /m).find((text) => text.startsWith(`${name}\n`));
    const ours = /```sql\n(.*?)```/s.exec(section ?? '')?.[1];
    if (!ours) throw new Error(`docs/analytics.md has no section "${name}"`);
    return { name, ours, raw };
  });
}
