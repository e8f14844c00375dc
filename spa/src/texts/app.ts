import type { Permission } from '@/api/session'

/** What each permission is for, as it ends a sentence. */
const may: Record<Permission, string> = {
  read: 'look at this',
  follow: 'look at this',
  invoke: 'call functions',
  operate: 'change requests or queues',
  manage: 'change schedules',
  administer: 'see users, keys and the audit',
}

export const app = {
  name: 'localfn',
  skip: 'Skip to the content',
  navigation: 'Main',
  nav: {
    overview: 'Overview',
    requests: 'Requests',
    functions: 'Functions',
    schedules: 'Schedules',
    admin: 'Admin',
  },
  notFound: { title: 'No such page', text: 'This address leads nowhere.', link: 'To the requests' },
  theme: { system: 'Theme: system', light: 'Theme: light', dark: 'Theme: dark' },
  help: {
    button: 'Keyboard help',
    title: 'Keys',
    close: 'Close',
    groups: [
      {
        title: 'Everywhere',
        keys: [
          ['/', 'Search'],
          ['?', 'This help'],
          ['g r', 'Go to the requests'],
          ['g f', 'Go to the functions'],
          ['g s', 'Go to the schedules'],
          ['g o', 'Go to the overview'],
          ['g a', 'Go to the audit, for admins'],
          ['Esc', 'Close, leave a field'],
        ],
      },
      {
        title: 'In a list',
        keys: [
          ['j', 'Next row'],
          ['k', 'Row before'],
          ['Enter', 'Open the row'],
          ['x', 'Select the row'],
          ['n', 'Next page'],
          ['p', 'Page before'],
        ],
      },
      {
        title: 'On a request',
        keys: [
          ['r', 'Retry a failed one'],
          ['c', 'Cancel a running one'],
          ['y', 'Copy its id'],
          ['u', 'Back to the list'],
        ],
      },
    ],
  },
  away: {
    text: (since: string) => `The server has not answered since ${since}.`,
    failing: (since: string) => `The server has been in trouble since ${since}.`,
    more: 'What you see may be old. Asking again by itself.',
    back: 'The server answers again.',
  },
  user: {
    menu: 'Your account',
    logout: 'Log out',
    everywhere: 'Log out everywhere',
    role: (role: string) => `Role: ${role}`,
    failed: 'Logging out failed',
    password: 'Change password…',
    mayNot: (role: string, permission: Permission) => `Your role (${role}) may not ${may[permission]}.`,
  },
  dismiss: 'Dismiss',
  retry: 'Try again',
  broken: {
    title: 'This part of the page failed to load',
    text: 'The server may have been updated meanwhile. Loading the page again helps.',
    reload: 'Load again',
  },
} as const
