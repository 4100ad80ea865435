// For tests: a terminal that remembers what it was shown, without colours.
import type { Terminal } from '../terminal/terminal.ts';

export interface RecordedTerminal extends Terminal {
  readonly printed: string[];
  readonly remarked: string[];
  readonly asked: string[];
}

/** @param answers to questions; without them nobody is there to be asked */
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
