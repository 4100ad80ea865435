import { expect, it } from 'vitest';
import { createSpan, processSpan, type SketchedJob, span } from '../testing/trace-parts.ts';
import { findRelatives } from './find-relatives.ts';

const job: SketchedJob = { id: 'job', type: 'reserve', created: 'create' };
const child: SketchedJob = { id: 'child', type: 'charge', created: 'create2' };
const grandchild: SketchedJob = { id: 'grandchild', type: 'notify', created: 'create3' };
const sibling: SketchedJob = { id: 'sibling', type: 'reserve', created: 'create4' };

const spans = [
  span('request'),
  createSpan(job, { parent: 'request' }),
  createSpan(sibling, { parent: 'request' }),
  processSpan(job, 'proc1', 1, { parent: 'create' }),
  createSpan(child, { parent: 'proc1' }),
  processSpan(child, 'proc2', 1, { parent: 'create2' }),
  createSpan(grandchild, { parent: 'proc2' }),
];
const without = (name: string) => spans.filter((one) => one.spanId !== span(name).spanId);

it('those that it made, directly or not, belong to a job, and not those that were made beside it', () => {
  expect(findRelatives(new Set(['job']), spans)).toEqual(['child', 'grandchild']);
});

it('those that made it belong to a job', () => {
  expect(findRelatives(new Set(['grandchild']), spans)).toEqual(['job', 'child']);
});

it('nothing is left when all of them are known', () => {
  expect(findRelatives(new Set(['job', 'child', 'grandchild']), spans)).toEqual([]);
});

it('one whose creation did not arrive may belong to it', () => {
  expect(findRelatives(new Set(['job']), without('create2'))).toContain('child');
});

it('where a span above it is lost, any job of the trace may be its maker', () => {
  expect(findRelatives(new Set(['child']), without('proc1'))).toContain('job');
});

it('a circle of parents ends', () => {
  const circle = [createSpan(job, { parent: 'b' }), span('b', { parent: 'c' }), span('c', { parent: 'b' })];
  expect(findRelatives(new Set(['job']), circle)).toEqual([]);
});
