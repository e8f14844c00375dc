import type { AuditAction } from '@/api/types'

// One for each that the API knows: a new one is missed by the type check.
const actions: Record<AuditAction, string> = {
  'request.retry': 'retried a request',
  'request.run': 'ran a waiting request now',
  'request.cancel': 'cancelled a request',
  'request.delete': 'deleted a request',
  'queue.pause': 'paused a queue',
  'queue.resume': 'resumed a queue',
  'queue.empty': 'emptied a queue',
  'schedule.create': 'made a schedule',
  'schedule.change': 'changed a schedule',
  'schedule.delete': 'deleted a schedule',
  'schedule.run': 'ran a schedule',
  'user.create': 'made a user',
  'user.change': 'changed a user',
  'user.delete': 'deleted a user',
  'key.create': 'made an API key',
  'key.revoke': 'revoked an API key',
  'session.login': 'logged in',
  'session.login_failed': 'failed to log in',
  'session.logout': 'logged out',
}

export const audit = {
  title: 'Audit',
  lead: 'Nothing was changed by anybody yet.',
  actor: 'Who',
  action: 'What',
  anyAction: 'Everything',
  actions,
  columns: { time: 'When', actor: 'Who', action: 'What', subject: 'On', details: 'Details' },
  empty: 'Retries, cancels, deletes, pauses, edits and logins are noted here.',
  filtered: 'No entry fits.',
  forbidden: 'Only admins may read the audit.',
} as const
