// Finds what a text cites of the repository (paths, packages, sections of docs) and says what does not exist.
// Which texts are read is left to citations.test.ts.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { root } from './run-step.ts';
import { packageFolders, readSource } from './source-files.ts';

interface Manifest {
  name: string;
  exports?: Record<string, string>;
}

const entries = new Set(
  packageFolders().flatMap((folder) => {
    const { name, exports = {} } = JSON.parse(readSource(`${folder}/package.json`)) as Manifest;
    return [name, ...Object.keys(exports).map((entry) => name + entry.slice(1))];
  }),
);

const REPOSITORY_PATH = /(?<![\w./@*{-])(?:packages|apps|infra|test|docs)\/[\w./*<>{},…-]+/g;
const PACKAGE_NAME = /@trellis\/[\w/*<…-]+/g;
const MARKDOWN_LINK = /\]\(([^)\s]+)\)/g;
/** A page, then `section "Heading"`; without quotes the heading ends at the next punctuation mark. */
const SECTION_IN_WORDS = /(docs\/[\w/-]+\.md),? section (?:"([^"]+)"|([^").,;:]+))/g;
const ANCHOR = /(docs\/[\w/-]+\.md)#([\w-]+)/g;
/** Stands for several names. */
const PATTERN = /[*<>{}…]/;

/** The comments of a source (`//`, SQL's `--`, block comments) as one text. */
export const commentsOf = (source: string): string =>
  [...source.matchAll(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*|^ *-- .*/gm)]
    .map(([comment]) => comment.replace(/^\s*(\/\/|--|\/\*\*?)|\n\s*\*/g, ' '))
    .join(' ');

/** What a page's headings are called in links, as GitHub does it. */
const anchorOf = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');

const headingsOf = (page: string): string[] =>
  [...readFileSync(join(root, page), 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));

function missingSection(page: string, anchor: string): string[] {
  if (!existsSync(join(root, page))) return [page];
  return headingsOf(page).includes(anchor) ? [] : [`${page}#${anchor}`];
}

/** Links of a page, relative to the page: its files and, with `#`, its sections. */
function missingLinks(page: string, text: string): string[] {
  return [...text.matchAll(MARKDOWN_LINK)].flatMap(([, target = '']) => {
    if (/^[a-z]+:/.test(target)) return [];
    const [path = '', anchor] = target.split('#');
    const file = path === '' ? page : normalize(join(dirname(page), path));
    if (!existsSync(join(root, file))) return [target];
    return anchor !== undefined && file.endsWith('.md') ? missingSection(file, anchor) : [];
  });
}

/** What `text` cites and the repository does not have; `page` is the file that links are relative to, if they count. */
export function missingCitations(text: string, page?: string): string[] {
  const prose = page === undefined ? text : text.replace(MARKDOWN_LINK, ']');
  const paths = [...prose.matchAll(REPOSITORY_PATH)]
    .map(([path]) => path.replace(/[.,/]+$/, ''))
    .filter((path) => !PATTERN.test(path) && !existsSync(join(root, path)));
  const packages = [...text.matchAll(PACKAGE_NAME)]
    .map(([name]) => name.replace(/[/-]+$/, ''))
    .filter((name) => !PATTERN.test(name) && !entries.has(name));
  const sections = [
    ...[...prose.matchAll(ANCHOR)].flatMap(([, file = '', anchor = '']) => missingSection(file, anchor)),
    ...[...text.matchAll(SECTION_IN_WORDS)].flatMap(([, file = '', quoted, bare = '']) =>
      missingSection(file, anchorOf(quoted ?? bare)),
    ),
  ];
  return [...new Set([...paths, ...packages, ...sections, ...(page === undefined ? [] : missingLinks(page, text))])];
}
