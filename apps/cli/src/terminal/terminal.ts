// Where output goes and what it may look like there. Colours only where a person looks at them.
import { createInterface } from 'node:readline/promises';
import { stripVTControlCharacters, styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];

export interface Terminal {
  /** One line, or several, to standard output. */
  print(text: string): void;
  /** To standard error: remarks that are not the answer. */
  remark(text: string): void;
  style(style: Style, text: string): string;
  /** Columns of the terminal; undefined when the output is read by something else. */
  readonly columns: number | undefined;
  /** Somebody is there to answer questions. */
  readonly interactive: boolean;
  /** Asks on standard error; an empty answer when the input ends. */
  ask(question: string): Promise<string>;
  /** Shows on standard error how far a long command is. */
  progress(done: number, of: number): void;
}

/** Where nobody watches, only so many jobs apart. */
const PROGRESS_EVERY = 100;

export const terminal: Terminal = {
  print: (text) => void process.stdout.write(`${text}\n`),
  remark: (text) => void process.stderr.write(`${text}\n`),
  // Honours NO_COLOR and FORCE_COLOR, and leaves the text alone when standard output is no terminal.
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

/** On one line, without what a terminal would act upon: texts of services are shown, never obeyed. */
export const plain = (text: string): string =>
  stripVTControlCharacters(text)
    .replace(/\p{Cc}+/gu, ' ')
    .trim();

/** At most `width` characters; what is cut off shows. */
export const shorten = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, Math.max(width - 1, 0))}…`;
