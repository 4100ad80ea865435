// The output of a command: standard output and error, colours, width, questions. Colours only on a terminal.
import { createInterface } from 'node:readline/promises';
import { stripVTControlCharacters, styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];

export interface Terminal {
  /** Prints one or more lines on standard output. */
  print(text: string): void;
  /** Prints on standard error what is not part of the result. */
  remark(text: string): void;
  style(style: Style, text: string): string;
  /** Columns of the terminal; undefined if the output is not a terminal. */
  readonly columns: number | undefined;
  /** Whether a user can answer questions. */
  readonly interactive: boolean;
  /** Asks on standard error. The answer is empty if the input ends. */
  ask(question: string): Promise<string>;
  /** Shows the progress of a long command on standard error. */
  progress(done: number, of: number): void;
}

/** Without a terminal, progress is printed only every so many jobs. */
const PROGRESS_EVERY = 100;

export const terminal: Terminal = {
  print: (text) => void process.stdout.write(`${text}\n`),
  remark: (text) => void process.stderr.write(`${text}\n`),
  // styleText honours NO_COLOR and FORCE_COLOR, and returns plain text if standard output is not a terminal.
  style: (style, text) => styleText(style, text, { stream: process.stdout }),
  get columns() {
    return process.stdout.isTTY ? process.stdout.columns : undefined;
  },
  get interactive() {
    return Boolean(process.stdin.isTTY && process.stderr.isTTY);
  },
  ask,
  progress(done, of) {
    if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${of}${done === of ? '\n' : ''}`);
    else if (done % PROGRESS_EVERY === 0) process.stderr.write(`${done} of ${of}\n`);
  },
};

async function ask(question: string): Promise<string> {
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  const ended = new Promise<string>((resolve) => reader.once('close', () => resolve('')));
  try {
    return await Promise.race([reader.question(question), ended]);
  } finally {
    reader.close();
  }
}

/** One line without control sequences: texts of services must not control the terminal. */
export const plain = (text: string): string =>
  stripVTControlCharacters(text)
    .replace(/\p{Cc}+/gu, ' ')
    .trim();

/** At most `width` characters; a cut is marked with `…`. */
export const shorten = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, Math.max(width - 1, 0))}…`;
