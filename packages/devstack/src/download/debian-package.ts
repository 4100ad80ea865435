// Downloads and unpacks one package of Debian's archive without being root and without touching the system's apt.
// What is looked for in it is left to nats-binary.ts and promtool-binary.ts.
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../process/run-command.ts';

/** Debian's suite with new enough packages; they run on any Linux with glibc 2.34 or newer. */
export const DEBIAN_SUITE = 'forky';

/** Why no package can be fetched on this machine; undefined when one can. */
export function whyNoDebian(): string | undefined {
  if (process.platform !== 'linux' || !existsSync('/usr/bin/apt-get')) return 'this machine has no apt-get';
  return debianSource() ? undefined : 'the apt sources of this machine name no Debian archive';
}

/**
 * Fetches a package of the suite and unpacks it below `folder`.
 * @returns the folder that holds what is in it
 */
export async function fetchDebianPackage(name: string, folder: string): Promise<string> {
  const apt = join(folder, 'apt');
  for (const part of ['sources', 'lists/partial', 'cache/archives/partial', 'state']) {
    mkdirSync(join(apt, part), { recursive: true });
  }
  await writeFile(join(apt, 'sources', 'debian.sources'), `${debianSource()?.trim()}\n`);
  // Folders of our own: neither the system's sources nor its lists are read or written, so root is not needed.
  await writeFile(
    join(apt, 'apt.conf'),
    [
      'Dir::Etc::sourcelist "/dev/null";',
      `Dir::Etc::sourceparts "${join(apt, 'sources')}";`,
      `Dir::State "${join(apt, 'state')}";`,
      `Dir::State::Lists "${join(apt, 'lists')}";`,
      'Dir::State::status "/var/lib/dpkg/status";',
      `Dir::Cache "${join(apt, 'cache')}";`,
      'Acquire::Languages "none";',
      'Acquire::Retries "2";',
      // The folders are readable for this user only, which apt's own unprivileged user is not.
      'APT::Sandbox::User "";',
      '#clear APT::Update::Post-Invoke;',
      '#clear APT::Update::Post-Invoke-Success;',
      '',
    ].join('\n'),
  );
  const aptGet = (...args: string[]) =>
    runCommand({ file: 'apt-get', args: ['-c', join(apt, 'apt.conf'), '-q', ...args], cwd: folder });
  await aptGet('update');
  await aptGet('download', name);
  const deb = readdirSync(folder).find((file) => file.endsWith('.deb'));
  if (!deb) throw new Error('apt-get downloaded nothing');
  const unpacked = join(folder, 'unpacked');
  await runCommand({ file: 'dpkg', args: ['-x', join(folder, deb), unpacked] });
  return unpacked;
}

/** The system's Debian source with another suite, in deb822 form, or undefined when it has none. */
function debianSource(): string | undefined {
  const parts = '/etc/apt/sources.list.d';
  const files = existsSync(parts) ? readdirSync(parts).map((name) => join(parts, name)) : [];
  const read = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8') : '');
  const plain = (text: string) => text.replace(/^#.*\n?/gm, '');
  for (const file of files.filter((name) => name.endsWith('.sources'))) {
    const stanza = plain(read(file))
      .split(/\n\s*\n/)
      .find((text) => /^Types:.*\bdeb\b/m.test(text) && /^URIs:.*\/debian\/?\s*$/m.test(text));
    if (stanza) return stanza.replace(/^Suites:.*$/m, `Suites: ${DEBIAN_SUITE}`).replace(/^Types:.*$/m, 'Types: deb');
  }
  for (const file of ['/etc/apt/sources.list', ...files.filter((name) => name.endsWith('.list'))]) {
    const line = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+\/debian\/?)\s+\S+/m.exec(plain(read(file)));
    if (!line) continue;
    const key = /signed-by=(\S+)/.exec(line[1] ?? '')?.[1] ?? '/usr/share/keyrings/debian-archive-keyring.gpg';
    return `Types: deb\nURIs: ${line[2]}\nSuites: ${DEBIAN_SUITE}\nComponents: main\nSigned-By: ${key}\n`;
  }
  return undefined;
}
