/** /api/users and /api/keys, for admins. */
import { json, request } from './client'
import type { components } from './schema'

type Schemas = components['schemas']
export type User = Schemas['User']
export type Key = Schemas['Key']
export type CreatedKey = Schemas['CreatedKey']
export type Scope = Key['scopes'][number]

const user = (name: string) => `/users/${encodeURIComponent(name)}`

export const listUsers = async (signal?: AbortSignal) =>
  (await json<{ items: User[] }>('/users', { signal })).items
export const createUser = (fields: Schemas['NewUser']) =>
  json<User>('/users', { method: 'POST', json: fields })
export const changeUser = (name: string, fields: Schemas['UserChange']) =>
  json<User>(user(name), { method: 'PATCH', json: fields })
export const deleteUser = (name: string) => request(user(name), { method: 'DELETE' })

export const listKeys = async (signal?: AbortSignal) =>
  (await json<{ items: Key[] }>('/keys', { signal })).items
/** Create a key. Only this response contains the key itself. */
export const createKey = (fields: Schemas['NewKey']) =>
  json<CreatedKey>('/keys', { method: 'POST', json: fields })
export const revokeKey = (id: string) => request(`/keys/${id}`, { method: 'DELETE' })
