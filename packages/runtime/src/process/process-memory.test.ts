import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

const module = new URL('./process-memory.ts', import.meta.url).href;

/** Runs a program in a process of its own, whose heap nobody else has made grow. @returns what it prints, as JSON */
function run(program: string): unknown {
  const source = `import * as memory from '${module}'; import v8 from 'node:v8'; ${program}`;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', source], { encoding: 'utf8' }));
}

const MEGABYTE = 2 ** 20;

describe('the memory of a process', () => {
  it('the young generation stays within its limit', () => {
    const grow = (bound: string) =>
      run(`
        const kept = [];
        let most = 0;
        for (let round = 0; round < 1_000; round++) {
          ${bound};
          kept.push(Array.from({ length: 5_000 }, (_, index) => ({ index })));
          if (kept.length > 8) kept.shift();
          const space = v8.getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
          most = Math.max(most, space.space_size);
        }
        console.log(most);
      `) as number;
    expect(grow('')).toBeGreaterThan(16 * MEGABYTE);
    expect(grow(`memory.boundYoungGeneration(${16 * MEGABYTE})`)).toBeLessThanOrEqual(16 * MEGABYTE);
  });

  it('the young generation is small again after what was left of the start is collected, and stays so', () => {
    const [before, after] = run(`
      const size = () => v8.getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size;
      const work = () => {
        const kept = [];
        for (let round = 0; round < 1_000; round++) {
          kept.push(Array.from({ length: 5_000 }, (_, index) => ({ index })));
          if (kept.length > 8) kept.shift();
        }
      };
      work();
      const before = size();
      memory.collectAtStart();
      work();
      console.log(JSON.stringify([before, size()]));
    `) as [number, number];
    expect(before).toBeGreaterThan(16 * MEGABYTE);
    expect(after).toBeLessThanOrEqual(4 * MEGABYTE);
  });

  it('is given back when work has come to an end', () => {
    const [before, after] = run(`
      let garbage = Array.from({ length: 500_000 }, (_, index) => ({ index }));
      const before = v8.getHeapStatistics().total_heap_size;
      garbage = undefined;
      const stop = new AbortController();
      const collecting = memory.collectWhenQuiet(stop.signal, 50);
      const look = setInterval(() => {
        const after = v8.getHeapStatistics().total_heap_size;
        if (after > before / 2) return;
        console.log(JSON.stringify([before, after]));
        clearInterval(look);
        stop.abort();
      }, 50);
    `) as [number, number];
    expect(after).toBeLessThan(before / 2);
  });

  it('is left alone while there is work, however little the heap grows', () => {
    const [before, after] = run(`
      let garbage = Array.from({ length: 500_000 }, (_, index) => ({ index }));
      const before = v8.getHeapStatistics().total_heap_size;
      garbage = undefined;
      const stop = new AbortController();
      const collecting = memory.collectWhenQuiet(stop.signal, 20);
      let rounds = 0;
      const work = setInterval(() => {
        for (const until = performance.now() + 5; performance.now() < until; );
        if (++rounds < 20) return;
        console.log(JSON.stringify([before, v8.getHeapStatistics().total_heap_size]));
        clearInterval(work);
        stop.abort();
      }, 10);
    `) as [number, number];
    expect(after).toBeGreaterThan(before / 2);
  });
});
