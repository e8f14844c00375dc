/** Poll everything that the overview shows. */
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

const INTERVAL_MS = 2_000

interface Details extends Highlights {
  workers: WorkerInfo[]
  sandboxes: SandboxInfo[]
  /** True if no request has ever been made. */
  hasNoRequests: boolean
}

/** details: null if the database was unavailable from the start, because zeros everywhere would be wrong. */
export interface OverviewData {
  stats: Stats
  details: Details | null
}

export function useOverview() {
  let details: Details | null = null
  return usePolling<OverviewData>({
    load: async (signal) => {
      const stats = await readStats(signal)
      // Without the database the other calls fail; the stats report the outage. Keep the last details.
      if (!stats.problems.some(({ code }) => code === 'database_away'))
        details = await readDetails(stats, signal)
      return { stats, details }
    },
    intervalMs: () => INTERVAL_MS,
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

/** Ask the list only if the counts, which cover 24 hours, are all zero. */
async function isWithoutRequests({ counts }: Stats, signal: AbortSignal): Promise<boolean> {
  if (Object.values(counts.by_status).some((count) => count > 0)) return false
  return (await listRequests({ limit: 1 }, signal)).items.length === 0
}
