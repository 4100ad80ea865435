// Where output goes and what it may look like there. Colours only where a person looks at them.
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
}

export const terminal: Terminal = {
  print: (text) => void process.stdout.write(`${text}\n`),
  remark: (text) => void process.stderr.write(`${text}\n`),
  // Honours NO_COLOR and FORCE_COLOR, and leaves the text alone when standard output is no terminal.
  style: (style, text) => styleText(style, text, { stream: process.stdout }),
  get columns() {
    return process.stdout.isTTY ? process.stdout.columns : undefined;
  },
};

/** On one line, without what a terminal would act upon: texts of services are shown, never obeyed. */
export const plain = (text: string): string =>
  stripVTControlCharacters(text)
    .replace(/\p{Cc}+/gu, ' ')
    .trim();

/** At most `width` characters; what is cut off shows. */
export const shorten = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, Math.max(width - 1, 0))}…`;
