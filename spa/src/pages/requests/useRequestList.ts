/** The request list: filters and page in the URL, and live rows. */
import { computed, ref, shallowRef, watch } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import { conditionalReader } from '@/api/client'
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

const LIVE_INTERVAL_MS = 2_000
const IDLE_INTERVAL_MS = 5_000
const SEARCH_PAUSE_FACTOR = 10 // a search that takes 1 s is repeated after 10 s, to spare the database

export function useRequestList() {
  const route = useRoute()
  const router = useRouter()
  const filters = computed(() => filtersFromUrl(route.query))
  const cursor = computed(() => cursorFromUrl(route.query))
  const selected = ref(new Set<string>())
  const read = conditionalReader<Page<Request>>()
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
      const hasLiveRows = page.items.some(isLive)
      // The newest page may get new rows at any time; an older page changes only while one of its requests is live.
      if (!hasLiveRows && cursor.value) return null
      const pause = hasLiveRows ? LIVE_INTERVAL_MS : IDLE_INTERVAL_MS
      return filters.value.q ? Math.max(pause, SEARCH_PAUSE_FACTOR * tookMs) : pause
    },
    watch: () => JSON.stringify([filters.value, cursor.value]),
  })
  const rows = useRows(list.data, selected)

  const goTo = (query: Record<string, string>, trail: string[]) =>
    router.push({ query, state: { trail: JSON.stringify(trail) } })

  return {
    filters,
    isFiltered: computed(() => isFiltered(filters.value)),
    selected,
    ...rows,
    isLoading: list.isLoading,
    error: list.error,
    refresh: list.refresh,
    /** The time down to which a search looked, if it stopped before the oldest request. */
    searchedUntil: computed(() => {
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
    first: () => goTo(filtersToUrl(filters.value), []),
    next: () => {
      const next = list.data.value?.next_cursor
      if (next) void goTo({ ...filtersToUrl(filters.value), cursor: next }, [...currentTrail(), cursor.value])
    },
    previous: () => {
      const trail = currentTrail()
      const previous = trail.pop() ?? ''
      void goTo({ ...filtersToUrl(filters.value), ...(previous && { cursor: previous }) }, trail)
    },
  }
}

/** Return the cursors of the previous pages. Keyset pages have no way back, so the history state keeps them. */
function currentTrail(): string[] {
  const stored: unknown = history.state?.trail
  return typeof stored === 'string' ? (JSON.parse(stored) as string[]) : []
}

/** While rows are selected, update them in place: new rows must not move the row that the user is about to click. */
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
