/** Create a request from another one: the same function, queue and uploads, with a given event. */
import { request as call } from '@/api/client'
import { filePath, invoke } from '@/api/requests'
import type { Request } from '@/api/types'

/** event: JSON as text. */
export async function rerun(original: Request, event: string): Promise<Request> {
  const inputs = original.files.filter(({ kind }) => kind === 'input')
  const files = await Promise.all(
    inputs.map(async (input) => {
      const { name, filename, content_type } = input
      const content = await (
        await call(filePath(original.id, input), { headers: { Accept: '*/*' }, timeoutMs: 600_000 })
      ).blob()
      return { part: name, file: new File([content], filename, { type: content_type }) }
    }),
  )
  return invoke(original.function, { event, files, query: { queue: original.queue } })
}
