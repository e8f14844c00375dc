/** The functions and schedules there are, for the filters. Without them the filters still take what the address says. */
import { ref } from 'vue'
import { json } from '@/api/client'
import { listFunctions } from '@/api/requests'

export function useNames() {
  const functions = ref<string[]>([])
  const schedules = ref<string[]>([])
  const names = (items: { name: string }[]) => items.map(({ name }) => name).sort()
  const ignore = () => undefined // the list's own call says what is wrong
  listFunctions().then(({ items }) => (functions.value = names(items)), ignore)
  json<{ items: { name: string }[] }>('/schedules').then(
    ({ items }) => (schedules.value = names(items)),
    ignore,
  )
  return { functions, schedules }
}
