/** /api/session: who is logged in and what that allows, logging in and out, the own password. */
import { json, request } from './client'
import type { components } from './schema'

export type Session = components['schemas']['Session']
export type Role = NonNullable<Session['user']>['role']
export type Permission = Session['permissions'][number]

export const readSession = (signal?: AbortSignal) => json<Session>('/session', { signal })
export const logIn = (username: string, password: string) =>
  json<Session>('/session', { method: 'POST', json: { username, password } })
export const logOut = (everywhere: boolean) =>
  request('/session', { method: 'DELETE', query: { everywhere: everywhere || undefined } })
/** Ends every session of the user but the one that this gives. Throws Problem that names the field. */
export const changePassword = (before: string, password: string) =>
  json<Session>('/session/password', { method: 'POST', json: { old_password: before, password } })
