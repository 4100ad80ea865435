// Downloads and unpacks one package of the Debian archive, without root and without touching the system's apt.
// Finding files in it is left to nats-binary.ts and promtool-binary.ts.
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../process/run-command.ts';

/** Debian suite with recent enough packages. They run on any Linux with glibc 2.34 or newer. */
export const DEBIAN_SUITE = 'forky';

/** Why this machine cannot fetch packages; undefined if it can. */
export function whyNoDebian(): string | undefined {
  if (process.platform !== 'linux' || !existsSync('/usr/bin/apt-get')) return 'this machine has no apt-get';
  return debianSource() ? undefined : 'the apt sources of this machine name no Debian archive';
}

/**
 * Fetches a package of the suite and unpacks it below `folder`.
 * @returns the folder with the unpacked files
 */
export async function fetchDebianPackage(name: string, folder: string): Promise<string> {
  const apt = join(folder, 'apt');
  for (const part of ['sources', 'lists/partial', 'cache/archives/partial', 'state']) {
    mkdirSync(join(apt, part), { recursive: true });
  }
  await writeFile(join(apt, 'sources', 'debian.sources'), `${debianSource()?.trim()}\n`);
  // Separate folders: apt neither reads nor writes the system's sources and lists, so root is not needed.
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
      // Only this user can read the folders; apt's sandbox user could not.
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

/** The system's Debian source with our suite, in deb822 form; undefined if the system has none. */
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
