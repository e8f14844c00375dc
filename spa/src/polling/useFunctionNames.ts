/** The names of all functions, for select fields. Loaded once, with retries. */
import { computed } from 'vue'
import { listFunctions } from '@/api/requests'
import { usePolling } from './usePolling'

export function useFunctionNames() {
  const { data } = usePolling({ load: listFunctions, intervalMs: () => null })
  return computed(() => (data.value?.items ?? []).map(({ name }) => name).sort())
}
