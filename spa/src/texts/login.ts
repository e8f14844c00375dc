export const login = {
  title: 'Log in',
  lead: 'This localfn asks who you are.',
  username: 'User name',
  password: 'Password',
  button: 'Log in',
  working: 'Logging in…',
  wrong: 'User name or password is wrong.',
  throttled: (s: number) => `Too many tries. Try again in ${s} s.`,
  hint: 'The first user comes from SUPERUSER_USERNAME and SUPERUSER_PASSWORD.',
  missing: 'Both are needed.',
} as const
