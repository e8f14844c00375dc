/** What a request printed, followed while it runs: only the lines behind the last one are asked for. */
import { shallowRef, watch, type ShallowRef } from 'vue'
import { EVERY_MS } from '@/api/pollStatus'
import { readLogs } from '@/api/requests'
import type { Attempt, Request } from '@/api/types'
import { usePolling } from '@/polling/usePolling'
import { piecesOf, stripAnsi, type Piece } from './ansi'

export interface LogLine {
  number: number
  time: string
  attempt: number
  stream: string
  /** Taken apart once: thousands of lines are drawn again and again while more of them come. */
  pieces: Piece[]
  plain: string
}

export function useLogs(id: string, request: ShallowRef<Request | null>, attempts: { value: Attempt[] }) {
  const lines = shallowRef<LogLine[]>([])
  let after: string | null = null
  let ended = 0 // how many of the lines have an end; those behind them are replaced by the next page
  const poll = usePolling<boolean>({
    load: async (signal) => {
      const page = await readLogs(id, after, signal)
      const fresh = parse(page.text, ended)
      after = page.nextAfter
      if (fresh.length || lines.value.length > ended) lines.value = [...lines.value.slice(0, ended), ...fresh]
      const hadLines = fresh.length > page.current
      ended += fresh.length - page.current
      return hadLines
    },
    // A full page is followed by the next at once.
    intervalMs: (hadLines) => (hadLines ? 300 : request.value?.status === 'processing' ? EVERY_MS : null),
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
      pieces: piecesOf(rest),
      plain: stripAnsi(rest),
    })
  }
  return found
}
