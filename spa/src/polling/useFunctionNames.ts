/** The names of the functions, for a choice among them; asked until there is an answer, and none needs to wait for it. */
import { computed } from 'vue'
import { listFunctions } from '@/api/requests'
import { usePolling } from './usePolling'

export function useFunctionNames() {
  const { data } = usePolling({ load: listFunctions, intervalMs: () => null })
  return computed(() => (data.value?.items ?? []).map(({ name }) => name).sort())
}
