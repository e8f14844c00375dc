import type { Permission } from '@/api/session'

/** The actions that each permission allows, as the end of "Your role is not allowed to …". */
const permissions: Record<Permission, string> = {
  read: 'read this page',
  follow: 'read this page',
  invoke: 'invoke functions',
  operate: 'change requests or queues',
  manage: 'change schedules',
  administer: 'manage users and API keys or read the audit log',
}

export const app = {
  name: 'localfn',
  skip: 'Skip to content',
  navigation: 'Main',
  nav: {
    overview: 'Overview',
    requests: 'Requests',
    functions: 'Functions',
    schedules: 'Schedules',
    admin: 'Admin',
  },
  notFound: { title: 'Page not found', text: 'No page has this address.', link: 'Go to requests' },
  theme: { system: 'Theme: system', light: 'Theme: light', dark: 'Theme: dark' },
  help: {
    button: 'Keyboard shortcuts',
    title: 'Keyboard shortcuts',
    close: 'Close',
    groups: [
      {
        title: 'Everywhere',
        keys: [
          ['/', 'Search'],
          ['?', 'Show this help'],
          ['g r', 'Go to requests'],
          ['g f', 'Go to functions'],
          ['g s', 'Go to schedules'],
          ['g o', 'Go to the overview'],
          ['g a', 'Go to the audit log (admins)'],
          ['Esc', 'Close a dialog'],
        ],
      },
      {
        title: 'In a list',
        keys: [
          ['j', 'Next row'],
          ['k', 'Previous row'],
          ['Enter', 'Open the row'],
          ['x', 'Select the row'],
          ['n', 'Next page'],
          ['p', 'Previous page'],
        ],
      },
      {
        title: 'On a request',
        keys: [
          ['r', 'Retry the request'],
          ['c', 'Cancel the request'],
          ['y', 'Copy the request ID'],
          ['u', 'Back to the list'],
        ],
      },
    ],
  },
  connection: {
    unreachable: (since: string) => `The server has not answered since ${since}.`,
    failing: (since: string) => `The server has returned errors since ${since}.`,
    stale: 'This page may be out of date. It reconnects automatically.',
    restored: 'Connection to the server restored.',
  },
  user: {
    menu: 'Your account',
    logout: 'Log out',
    everywhere: 'Log out everywhere',
    role: (role: string) => `Role: ${role}`,
    password: 'Change password…',
    missingPermission: (role: string, permission: Permission) =>
      `Your role (${role}) is not allowed to ${permissions[permission]}.`,
  },
  actionFailed: (action: string, message: string) => `${action} failed: ${message}`,
  dismiss: 'Dismiss',
  retry: 'Try again',
  loadFailed: {
    title: 'This page could not be loaded',
    text: 'The server may have been updated. Reload the page.',
    reload: 'Reload',
  },
} as const
