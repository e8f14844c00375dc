/** The list's place in the address and its rows: filters, pages that back and forward keep, live rows. */
import { computed, ref, shallowRef, watch } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import { conditional } from '@/api/client'
import { timeOfId } from '@/api/ids'
import { isLive, type Page, type Request } from '@/api/types'
import { usePolling } from '@/polling/usePolling'
import {
  filtersToUrl,
  filtersToApi,
  cursorFromUrl,
  filtersFromUrl,
  isFiltered,
  PAGE_SIZE,
  type Filters,
} from './filters'

const RUNNING_MS = 2_000
const QUIET_MS = 5_000
const SHARE = 10 // a search that takes a second is not asked again before ten have gone

export function useRequestList() {
  const route = useRoute()
  const router = useRouter()
  const filters = computed(() => filtersFromUrl(route.query))
  const cursor = computed(() => cursorFromUrl(route.query))
  const selected = ref(new Set<string>())
  const read = conditional<Page<Request>>()
  let tookMs = 0
  const list = usePolling<Page<Request>>({
    load: async (signal) => {
      const began = performance.now()
      const query = filtersToApi(filters.value, cursor.value, new Date())
      const page = await read('/requests', { query, signal })
      tookMs = performance.now() - began
      return page
    },
    intervalMs: (page) => {
      const isRunning = page.items.some(isLive)
      // The newest page may get new rows at any time; an older one changes only while something on it runs.
      if (!isRunning && cursor.value) return null
      const pause = isRunning ? RUNNING_MS : QUIET_MS
      return filters.value.q ? Math.max(pause, SHARE * tookMs) : pause
    },
    watch: () => JSON.stringify([filters.value, cursor.value]),
  })
  const rows = useRows(list.data, selected)

  const go = (query: Record<string, string>, trail: string[]) =>
    router.push({ query, state: { trail: JSON.stringify(trail) } })

  return {
    filters,
    isFiltered: computed(() => isFiltered(filters.value)),
    selected,
    ...rows,
    isLoading: list.isLoading,
    error: list.error,
    refresh: list.refresh,
    /** How far a search has come that had not the time to look through all. */
    reached: computed(() => {
      const page = list.data.value
      if (!filters.value.q || !page?.next_cursor || page.items.length === PAGE_SIZE) return null
      return timeOfId(page.next_cursor)
    }),
    hasNext: computed(() => Boolean(list.data.value?.next_cursor)),
    hasPrevious: computed(() => cursor.value !== ''),
    filter: (change: Partial<Filters>) => {
      selected.value = new Set()
      return router.replace({ query: filtersToUrl({ ...filters.value, ...change }) })
    },
    first: () => go(filtersToUrl(filters.value), []),
    next: () => {
      const next = list.data.value?.next_cursor
      if (next) void go({ ...filtersToUrl(filters.value), cursor: next }, [...currentTrail(), cursor.value])
    },
    previous: () => {
      const trail = currentTrail()
      const before = trail.pop() ?? ''
      void go({ ...filtersToUrl(filters.value), ...(before && { cursor: before }) }, trail)
    },
  }
}

/** The cursors of the pages before this one. Keyset pages only lead on; the way back is what one came by. */
function currentTrail(): string[] {
  const kept: unknown = history.state?.trail
  return typeof kept === 'string' ? (JSON.parse(kept) as string[]) : []
}

/** While rows are selected, they change in place and none is pushed away under the hand that is about to act. */
function useRows(data: { value: Page<Request> | null }, selected: { value: Set<string> }) {
  const shown = shallowRef<Request[] | null>(null)
  const hasNewer = ref(false)
  watch(
    () => [data.value, selected.value.size > 0] as const,
    ([page, hasSelection]) => {
      if (!page) return
      const items = page.items
      if (!hasSelection || !shown.value) {
        shown.value = items
        hasNewer.value = false
        return
      }
      const fresh = new Map(items.map((item) => [item.id, item]))
      hasNewer.value = items[0]?.id !== shown.value[0]?.id
      shown.value = shown.value.map((row) => fresh.get(row.id) ?? row)
    },
    { immediate: true },
  )
  return { rows: shown, hasNewer }
}
