export function passSignalsOn(
  from: { on(signal: NodeJS.Signals, listener: () => void): unknown },
  child: { kill(signal: NodeJS.Signals): unknown },
  now?: () => number,
): void;
