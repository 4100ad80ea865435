// For tests: a terminal that records its output, without colours.
import type { Terminal } from '../terminal/terminal.ts';

export interface RecordedTerminal extends Terminal {
  readonly printed: string[];
  readonly remarked: string[];
  readonly asked: string[];
}

/** @param answers to questions; without them the terminal is not interactive */
export function recordedTerminal(columns?: number, answers?: string[]): RecordedTerminal {
  const printed: string[] = [];
  const remarked: string[] = [];
  const asked: string[] = [];
  return {
    printed,
    remarked,
    asked,
    columns,
    interactive: answers !== undefined,
    ask: (question) => {
      asked.push(question);
      return Promise.resolve(answers?.shift() ?? '');
    },
    progress: () => undefined,
    print: (text) => void printed.push(text),
    remark: (text) => void remarked.push(text),
    style: (_style, text) => text,
  };
}
