/** Who uses the page. An answer of 401 anywhere brings up the login; the address stays, so that one comes back to it. */
import { computed, reactive } from 'vue'
import { onUnauthorized } from '@/api/client'
import { Problem } from '@/api/problem'
import { logIn as postLogin, logOut as deleteSession, readSession, type Session } from '@/api/session'

const state = reactive<{ session: Session | null; isLoginNeeded: boolean; generation: number }>({
  session: null,
  isLoginNeeded: false,
  generation: 0,
})

export const user = computed(() => state.session?.user ?? null)
export const isLoginNeeded = computed(() => state.isLoginNeeded)
/** Changes with every login: what was loaded for somebody else is loaded anew. */
export const generation = computed(() => state.generation)
/** The audit is for admins; where nobody logs in, everybody is one. */
export const isAdmin = computed(() => (user.value ? user.value.role === 'admin' : true))
export const mayChange = computed(() => user.value?.role !== 'viewer')

export async function loadSession(): Promise<void> {
  try {
    adopt(await readSession())
  } catch (error) {
    // Away: the pages' own calls tell of it. 401: nobody is logged in.
    if (error instanceof Problem && error.status === 401) state.isLoginNeeded = true
  }
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

function adopt(session: Session): void {
  state.session = session
  state.isLoginNeeded = session.auth === 'required' && session.user === null
}

onUnauthorized(() => {
  state.isLoginNeeded = true
})
