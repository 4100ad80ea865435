// Makes a server's URL fit to be printed.
// Whoever prints decides where; secrets that are not in a URL are not looked for.

/** The same URL, or list of URLs separated by commas, with `***` for every password and token. */
export function withoutPassword(url: string): string {
  return url.replace(/\/\/[^/@\s,]*@/g, (userInfo) => {
    const user = userInfo.slice(2, -1);
    return user.includes(':') ? `//${user.slice(0, user.indexOf(':'))}:***@` : '//***@';
  });
}
