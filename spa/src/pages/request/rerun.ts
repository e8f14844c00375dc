/** Run the function of a request again, with this event and the same uploads. */
import { request as call } from '@/api/client'
import { filePath, invoke } from '@/api/requests'
import type { Request } from '@/api/types'

/** event: JSON as text. */
export async function rerun(before: Request, event: string): Promise<Request> {
  const inputs = before.files.filter(({ kind }) => kind === 'input')
  const files = await Promise.all(
    inputs.map(async (input) => {
      const { name, filename, content_type } = input
      const content = await (
        await call(filePath(before.id, input), { headers: { Accept: '*/*' }, timeoutMs: 600_000 })
      ).blob()
      return { part: name, file: new File([content], filename, { type: content_type }) }
    }),
  )
  return invoke(before.function, { event, files, query: { queue: before.queue } })
}
