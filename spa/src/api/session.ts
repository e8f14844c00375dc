/** /api/session: the user with its permissions, login, logout, and the change of the own password. */
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
/** Change the password and end all other sessions of the user. Throws Problem that names the invalid field. */
export const changePassword = (current: string, password: string) =>
  json<Session>('/session/password', { method: 'POST', json: { old_password: current, password } })
