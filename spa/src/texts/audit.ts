import type { AuditAction } from '@/api/types'

// The type check fails when the API gets a new action that has no text here.
const actions: Record<AuditAction, string> = {
  'request.retry': 'retried a request',
  'request.run': 'ran a waiting request now',
  'request.cancel': 'cancelled a request',
  'request.delete': 'deleted a request',
  'queue.pause': 'paused a queue',
  'queue.resume': 'resumed a queue',
  'queue.empty': 'emptied a queue',
  'schedule.create': 'created a schedule',
  'schedule.change': 'changed a schedule',
  'schedule.delete': 'deleted a schedule',
  'schedule.run': 'ran a schedule',
  'user.create': 'created a user',
  'user.change': 'changed a user',
  'user.delete': 'deleted a user',
  'key.create': 'created an API key',
  'key.revoke': 'revoked an API key',
  'session.login': 'logged in',
  'session.login_failed': 'failed to log in',
  'session.logout': 'logged out',
}

export const audit = {
  title: 'Audit log',
  actor: 'Actor',
  action: 'Action',
  anyAction: 'Any action',
  actions,
  columns: { time: 'Time', actor: 'Actor', action: 'Action', subject: 'Subject', details: 'Details' },
  none: {
    title: 'No audit entries yet',
    text: 'Logins and every retry, cancel, delete, pause and edit are recorded here.',
  },
  filtered: 'No entries match these filters.',
  forbidden: 'Only admins can read the audit log.',
} as const
