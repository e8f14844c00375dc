/** The names of functions and schedules for the filters. A filter of the URL works even before they are loaded. */
import { computed } from 'vue'
import { listSchedules } from '@/api/schedules'
import { useFunctionNames } from '@/polling/useFunctionNames'
import { usePolling } from '@/polling/usePolling'

export function useFilterOptions() {
  const { data } = usePolling({ load: listSchedules, intervalMs: () => null })
  return {
    functions: useFunctionNames(),
    schedules: computed(() => (data.value ?? []).map(({ name }) => name).sort()),
  }
}
