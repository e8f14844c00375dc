/** /api/session: who is logged in, logging in and out. */
import { json, request } from './client'

export type Role = 'admin' | 'operator' | 'viewer'

export interface Session {
  auth: 'required' | 'none'
  user: { username: string; role: Role } | null
}

export const readSession = () => json<Session>('/session')
export const logIn = (username: string, password: string) =>
  json<Session>('/session', { method: 'POST', json: { username, password } })
export const logOut = (everywhere: boolean) =>
  request('/session', { method: 'DELETE', query: { everywhere: everywhere || undefined } })
