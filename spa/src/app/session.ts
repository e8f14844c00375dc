/** The session and its permissions. A 401 response shows the login form; the URL stays, so the page returns after the login. */
import { computed, reactive } from 'vue'
import { onUnauthorized } from '@/api/client'
import { Poller } from '@/api/poller'
import { isTransient, Problem } from '@/api/problem'
import {
  changePassword as postPassword,
  logIn as postLogin,
  logOut as deleteSession,
  readSession,
  type Permission,
  type Session,
} from '@/api/session'
import { reportReachable, reportUnreachable, reportIfSlow } from '@/polling/connection'
import { app } from '@/texts'

const state = reactive<{ session: Session | null; isLoginNeeded: boolean; generation: number }>({
  session: null,
  isLoginNeeded: false,
  generation: 0,
})

export const user = computed(() => state.session?.user ?? null)
export const isLoginNeeded = computed(() => state.isLoginNeeded)
/** False until the server has answered. */
export const isLoginRequired = computed(() => state.session?.auth === 'required')
/** Grows with each login, so that pages reload the data of the new user. */
export const sessionGeneration = computed(() => state.generation)

/** Return true if the user has the permission, or before the session is known: the server checks each call anyway. */
export function can(permission: Permission): boolean {
  return state.session === null || state.session.permissions.includes(permission)
}

/** Return the sentence that explains a missing permission. */
export function missingPermissionText(permission: Permission): string {
  return app.user.missingPermission(user.value?.role ?? '', permission)
}

/** Load the session in the background, with retries; no page waits for it. */
export function loadSession(): void {
  const poller = new Poller<Session>({
    load: (signal) => reportIfSlow(readSession(signal)),
    intervalMs: () => null,
    onValue: (session) => {
      reportReachable()
      setSession(session)
      poller.stop()
    },
    onError: (error) => {
      if (isTransient(error)) reportUnreachable(error)
      else if (error instanceof Problem && error.status === 401) state.isLoginNeeded = true
    },
  })
  poller.wake()
}

export async function logIn(username: string, password: string): Promise<void> {
  setSession(await postLogin(username, password))
  state.generation += 1
}

export async function logOut(everywhere: boolean): Promise<void> {
  await deleteSession(everywhere)
  state.session = null
  state.isLoginNeeded = true
}

export async function changePassword(current: string, password: string): Promise<void> {
  setSession(await postPassword(current, password))
}

function setSession(session: Session): void {
  state.session = session
  state.isLoginNeeded = session.auth === 'required' && session.user === null
}

onUnauthorized(() => {
  state.isLoginNeeded = true
})
