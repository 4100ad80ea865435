// The figures of rounds as a report has them: what each round gave, and the ratios of which the median counts.

/** Each figure of each round by its place, `round2.ms`, beside the ratios in the rounds' order. */
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

/** To a tenth: of milliseconds, seconds and megabytes. */
export const asFigures = (figures: object): Record<string, number> =>
  Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Math.round(Number(value) * 10) / 10]));
