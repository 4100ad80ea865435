// The command line: runs one command and ends with its exit code.
import { report } from './cli.ts';
import { EXIT } from './exit-codes.ts';
import { buildProgram } from './program.ts';
import { terminal } from './terminal/terminal.ts';

// A reader that closes the pipe early (`| head`) is not a failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) =>
    process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.unexpected),
  );
}

try {
  await buildProgram(terminal).parseAsync();
} catch (error) {
  process.exitCode = report(error, terminal, process.argv.includes('--json'));
}
