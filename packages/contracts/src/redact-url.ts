/** The text without user and password of any URL in it. */
export const redactUrl = (text: string): string => text.replace(/(\w+:\/\/)[^@/\s]+@/g, '$1[redacted]@');
