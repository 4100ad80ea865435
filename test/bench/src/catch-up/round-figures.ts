// The figures of rounds for the report: those of each round, and the ratios whose median counts.

/** Each figure of each round as `round2.ms`, and the ratios in the order of the rounds. */
export function figuresOfRounds(ratios: readonly number[], rounds: readonly object[]): Record<string, number | string> {
  const figures = rounds.flatMap((round, index) =>
    Object.entries(asFigures(round)).map(([name, value]) => [`round${index + 1}.${name}`, value]),
  );
  return {
    rounds: rounds.length,
    ratios: ratios.map((ratio) => ratio.toFixed(2)).join(' '),
    ...Object.fromEntries(figures),
  };
}

/** Rounds to one decimal: milliseconds, seconds and megabytes. */
export const asFigures = (figures: object): Record<string, number> =>
  Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Math.round(Number(value) * 10) / 10]));
