// The log that the libraries of this project write to. `createLogger` of @trellis/runtime makes one (with pino).

/** Writes one line: fields and a message, or a message alone. */
interface WriteLine {
  (fields: object, message?: string): void;
  (message: string): void;
}

export interface Logger {
  trace: WriteLine;
  debug: WriteLine;
  info: WriteLine;
  warn: WriteLine;
  error: WriteLine;
  fatal: WriteLine;
  isLevelEnabled(level: string): boolean;
  /** A logger that adds `fields` to each of its lines. */
  child(fields: Record<string, unknown>): Logger;
}

const ignore = (): void => undefined;

/** For tests, and for libraries that were given no logger. */
export function silentLogger(): Logger {
  const logger: Logger = {
    trace: ignore,
    debug: ignore,
    info: ignore,
    warn: ignore,
    error: ignore,
    fatal: ignore,
    isLevelEnabled: () => false,
    child: () => logger,
  };
  return logger;
}
