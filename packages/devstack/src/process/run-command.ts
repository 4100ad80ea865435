// Runs a program to its end and returns its output.
// Long-running servers are left to supervised-process.ts.
import { spawn } from 'node:child_process';
import type { ProcessCommand } from './supervised-process.ts';

/**
 * Runs the command to its end.
 * @returns standard output and standard error, in the order of printing
 * @throws Error with the last lines of output if it cannot be run or its exit code is not 0
 */
export function runCommand(command: ProcessCommand): Promise<string> {
  const { file, args, ...options } = command;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let output = '';
    const keep = (chunk: Buffer) => {
      output = (output + chunk).slice(-20_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${file} ended with ${signal ?? code}: ${output.trim().split('\n').slice(-8).join('\n')}`));
    });
  });
}
