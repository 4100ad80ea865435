// Removes passwords and tokens from URLs so that they can be printed. It finds no secrets outside of URLs.

/** The same URL, or list of URLs separated by commas, with `***` for every password and token. */
export function withoutPassword(url: string): string {
  return url.replace(/\/\/[^/@\s,]*@/g, (userInfo) => {
    const user = userInfo.slice(2, -1);
    return user.includes(':') ? `//${user.slice(0, user.indexOf(':'))}:***@` : '//***@';
  });
}
