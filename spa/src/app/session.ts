/** Who uses the page. An answer of 401 anywhere brings up the login; the address stays, so that one comes back to it. */
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
/** Whether anybody has to log in here; false until the server has said so. */
export const isLoginRequired = computed(() => state.session?.auth === 'required')
/** Changes with every login: what was loaded for somebody else is loaded anew. */
export const generation = computed(() => state.generation)

/** Whether this user may do so. Until the server has said who it is, fetchAllMatching is shown: it refuses by itself. */
export function can(permission: Permission): boolean {
  return state.session === null || state.session.permissions.includes(permission)
}

/** Why not, in words. */
export function missingPermissionText(permission: Permission): string {
  return app.user.mayNot(user.value?.role ?? '', permission)
}

/** Asks until there is an answer; no page waits for it. */
export function loadSession(): void {
  const poller = new Poller<Session>({
    load: (signal) => reportIfSlow(readSession(signal)),
    intervalMs: () => null,
    onValue: (session) => {
      reportReachable()
      adopt(session)
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
  adopt(await postLogin(username, password))
  state.generation += 1
}

export async function logOut(everywhere: boolean): Promise<void> {
  await deleteSession(everywhere)
  state.session = null
  state.isLoginNeeded = true
}

export async function changePassword(before: string, password: string): Promise<void> {
  adopt(await postPassword(before, password))
}

function adopt(session: Session): void {
  state.session = session
  state.isLoginNeeded = session.auth === 'required' && session.user === null
}

onUnauthorized(() => {
  state.isLoginNeeded = true
})
