export const login = {
  title: 'Log in',
  lead: 'This server requires a login.',
  username: 'Username',
  password: 'Password',
  button: 'Log in',
  working: 'Logging in…',
  wrong: 'Wrong username or password.',
  throttled: (s: number) => `Too many attempts. Try again in ${s} s.`,
  hint: 'No user yet? Start the server with SUPERUSER_USERNAME and SUPERUSER_PASSWORD set.',
  missing: 'Enter a username and a password.',
} as const
