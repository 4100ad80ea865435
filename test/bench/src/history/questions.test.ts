import { expect, it } from 'vitest';
import { dashboardQuestions } from './questions.ts';

it('every query of the raw table is one of docs/analytics.md, where it reads the rollups', () => {
  const questions = dashboardQuestions();
  expect(questions.length).toBeGreaterThan(0);
  for (const { name, ours, raw } of questions) {
    expect(ours, name).toMatch(/FROM (minutes|hours|event_minutes)/);
    expect(raw, name).toContain('FROM raw_events');
  }
});
