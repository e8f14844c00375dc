/** What the overview shows, asked together every two seconds. */
import {
  readHighlights,
  readSandboxes,
  readStats,
  readWorkers,
  type SandboxInfo,
  type Stats,
  type WorkerInfo,
} from '@/api/stats'
import { listRequests } from '@/api/requests'
import type { Highlights } from '@/api/types'
import { usePolling } from '@/polling/usePolling'

const EVERY_MS = 2_000

interface Details extends Highlights {
  workers: WorkerInfo[]
  sandboxes: SandboxInfo[]
  /** No request was ever made here. */
  hasNoRequests: boolean
}

/** details: null while the database is away and nothing is known from before: nought of fetchAllMatching would be a lie. */
export interface Seen {
  stats: Stats
  details: Details | null
}

export function useOverview() {
  let details: Details | null = null
  return usePolling<Seen>({
    load: async (signal) => {
      const stats = await readStats(signal)
      // With the database away the others have nothing new to say, and the stats say that.
      if (!stats.problems.some(({ code }) => code === 'database_away'))
        details = await readDetails(stats, signal)
      return { stats, details }
    },
    intervalMs: () => EVERY_MS,
  })
}

async function readDetails(stats: Stats, signal: AbortSignal): Promise<Details> {
  const [workers, sandboxes, highlights, hasNoRequests] = await Promise.all([
    readWorkers(signal),
    readSandboxes(signal),
    readHighlights(signal),
    isWithoutRequests(stats, signal),
  ])
  return { workers, sandboxes, ...highlights, hasNoRequests }
}

/** The counts are of a day; only where they say nothing is the table itself asked. */
async function isWithoutRequests({ counts }: Stats, signal: AbortSignal): Promise<boolean> {
  if (Object.values(counts.by_status).some((count) => count > 0)) return false
  return (await listRequests({ limit: 1 }, signal)).items.length === 0
}
