// For tests: a terminal that remembers what it was shown, without colours.
import type { Terminal } from '../terminal.ts';

export interface RecordedTerminal extends Terminal {
  readonly printed: string[];
  readonly remarked: string[];
}

export function recordedTerminal(columns?: number): RecordedTerminal {
  const printed: string[] = [];
  const remarked: string[] = [];
  return {
    printed,
    remarked,
    columns,
    print: (text) => void printed.push(text),
    remark: (text) => void remarked.push(text),
    style: (_style, text) => text,
  };
}
