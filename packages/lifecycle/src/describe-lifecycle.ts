// The lifecycle in words and as a diagram, made from the table: docs/lifecycle.md is its output.
import { EVENT_TYPES, JOB_STATES } from '@trellis/contracts';
import { ENDED_STATES, TRANSITIONS } from './transitions.ts';

const code = (text: string): string => `\`${text}\``;
const list = (items: readonly string[]): string => (items.length === 0 ? 'none' : items.map(code).join(', '));

/** A Mermaid state diagram of the events that lead from one state to another. */
function lifecycleDiagram(): string {
  const lines = EVENT_TYPES.flatMap((event) => {
    const { from, to } = TRANSITIONS[event];
    if (to === 'same') return [];
    return from
      .filter((state) => state !== to)
      .map((state) => `    ${state === 'none' ? '[*]' : state} --> ${to}: ${event}`);
  });
  return ['```mermaid', 'stateDiagram-v2', ...lines, '```'].join('\n');
}

/** The page docs/lifecycle.md. */
export function lifecyclePage(): string {
  const events = EVENT_TYPES.map((event) => {
    const { from, to } = TRANSITIONS[event];
    return `| ${code(event)} | ${list(from)} | ${to === 'same' ? 'stays' : code(to)} |`;
  });
  const states = JOB_STATES.map((state) => {
    const leaving = EVENT_TYPES.filter(
      (event) => TRANSITIONS[event].to !== 'same' && TRANSITIONS[event].from.includes(state),
    );
    return `| ${code(state)} | ${ENDED_STATES.includes(state) ? 'yes' : 'no'} | ${list(leaving)} |`;
  });
  return `# The life of a job

This page is made from the table in \`packages/lifecycle/src/transitions.ts\` (a test compares them; \`vitest run -u\` in
that package writes it again). Projector, gateway, janitor, SDK and CLI all decide with that table and with one function,
\`reduce(job, event)\`, which answers what the job is after the event, or why the event changes nothing.

The order of the \`JOBS\` stream decides. Once execution has ended, later events of a worker change nothing; they stay in
the history. Only \`retried\` and \`dismissed\`, which operators cause, leave an ended state. What an event claims about the
state before it (\`previousState\`) is never trusted, and attempts are counted by \`started\` events.

${lifecycleDiagram()}

## States

| state | execution has ended | events that lead out |
|---|---|---|
${states.join('\n')}

## Events

| event | has an effect in | leads to |
|---|---|---|
${events.join('\n')}

\`none\` stands for a job of which no event was seen; an event of a job whose \`created\` is no longer in the stream begins
a row without payload that says so (\`headMissing\`). Outcomes are accepted in every open state, because their \`started\`
may have been lost. \`started\` is accepted in \`active\`: the worker died and the message came again. \`staleCompletionIgnored\`
is a fact for the history only.
`;
}
