/** The functions and schedules there are, for the filters. Without them the filters still take what the address says. */
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
