/** The log lines of a request, followed while it runs. Each call reads only new lines. */
import { shallowRef, watch, type ShallowRef } from 'vue'
import { POLL_INTERVAL_MS } from '@/api/pollStatus'
import { readLogs } from '@/api/requests'
import type { Attempt, Request } from '@/api/types'
import { usePolling } from '@/polling/usePolling'
import { parseAnsi, stripAnsi, type Piece } from './ansi'

export interface LogLine {
  number: number
  time: string
  attempt: number
  stream: string
  /** Parsed once, because thousands of lines are rendered again with each new page. */
  pieces: Piece[]
  plain: string
}

export function useLogs(id: string, request: ShallowRef<Request | null>, attempts: { value: Attempt[] }) {
  const lines = shallowRef<LogLine[]>([])
  let after: string | null = null
  let finished = 0 // number of finished lines; the next page replaces those after them
  const poll = usePolling<boolean>({
    load: async (signal) => {
      const page = await readLogs(id, after, signal)
      const fresh = parse(page.text, finished)
      after = page.nextAfter
      if (fresh.length || lines.value.length > finished)
        lines.value = [...lines.value.slice(0, finished), ...fresh]
      const hadLines = fresh.length > page.current
      finished += fresh.length - page.current
      return hadLines
    },
    // New lines may mean a full page: read the next one soon.
    intervalMs: (hadLines) =>
      hadLines ? 300 : request.value?.status === 'processing' ? POLL_INTERVAL_MS : null,
  })
  watch([request, () => attempts.value], poll.refresh)
  return { lines, isLoading: poll.isLoading }
}

const LINE = /^(\S+) (\d+) (\S+) (.*)$/s

function parse(text: string, from: number): LogLine[] {
  const found: LogLine[] = []
  for (const line of text.split('\n')) {
    const match = LINE.exec(line)
    if (!match) continue
    const [, time = '', attempt = '0', stream = '', rest = ''] = match
    found.push({
      number: from + found.length,
      time,
      attempt: Number(attempt),
      stream,
      pieces: parseAnsi(rest),
      plain: stripAnsi(rest),
    })
  }
  return found
}
