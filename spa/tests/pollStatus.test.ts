// @vitest-environment node
// Node's fetch against a real HTTP server, for real ETags and 304s. The stubs below are all it needs of a browser.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { pollStatus } from '@/api/pollStatus'

let server: Server
let respond: (request: IncomingMessage, response: ServerResponse) => void
const seen: IncomingMessage[] = []

function send(
  response: ServerResponse,
  status: number,
  body?: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, {
    'Content-Type': 'application/json',
    ...headers,
  })
  response.end(body === undefined ? undefined : JSON.stringify(body))
}

beforeEach(async () => {
  seen.length = 0
  server = createServer((request, response) => {
    seen.push(request)
    respond(request, response)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  const root = { content: `http://127.0.0.1:${port}/api` }
  vi.stubGlobal('window', new EventTarget())
  vi.stubGlobal('document', Object.assign(new EventTarget(), { hidden: false, querySelector: () => root }))
})
afterEach(() => new Promise((closed) => server.close(closed)))

const ETAG = { ETag: '"one"' }

test('sends the last ETag, reports only changes, and resolves with the ended request', async () => {
  const statuses = ['processing', null, 'completed']
  respond = (_, response) => {
    const status = statuses[seen.length - 1]
    if (status === null) send(response, 304, undefined, ETAG)
    else send(response, 200, { id: 'x', status }, ETAG)
  }
  const updates: string[] = []
  const request = await pollStatus('x', { onUpdate: ({ status }) => updates.push(status) })
  expect(request.status).toBe('completed')
  expect(updates).toEqual(['processing', 'completed'])
  expect(seen.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, '"one"', '"one"'])
  expect(seen[0]?.url).toBe('/api/requests/x')
}, 15_000)

test('rejects with the problem of an unknown request', async () => {
  respond = (_, response) =>
    send(
      response,
      404,
      { title: 'Not Found', detail: 'There is no request x.' },
      { 'Content-Type': 'application/problem+json' },
    )
  await expect(pollStatus('x')).rejects.toMatchObject({ status: 404, message: 'There is no request x.' })
})

test('rejects immediately when aborted', async () => {
  respond = (_, response) => send(response, 200, { id: 'x', status: 'pending' })
  const controller = new AbortController()
  const polled = pollStatus('x', { signal: controller.signal, onUpdate: () => controller.abort() })
  await expect(polled).rejects.toMatchObject({ name: 'AbortError' })
})
