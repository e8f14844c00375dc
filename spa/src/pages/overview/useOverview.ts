/** What the overview shows, asked together every two seconds. */
import {
  readSandboxes,
  readStats,
  readWorkers,
  type SandboxInfo,
  type Stats,
  type WorkerInfo,
} from '@/api/operations'
import { usePolling } from '@/polling/usePolling'

const EVERY_MS = 2_000

export interface Seen {
  stats: Stats
  workers: WorkerInfo[]
  sandboxes: SandboxInfo[]
}

export function useOverview() {
  let last: Pick<Seen, 'workers' | 'sandboxes'> = { workers: [], sandboxes: [] }
  return usePolling<Seen>({
    ask: async (signal) => {
      const stats = await readStats(signal)
      // With the database away the others have nothing new to say, and the stats say that.
      const isAway = stats.problems.some(({ code }) => code === 'database_away')
      if (!isAway) {
        const [workers, sandboxes] = await Promise.all([readWorkers(signal), readSandboxes(signal)])
        last = { workers, sandboxes }
      }
      return { stats, ...last }
    },
    every: () => EVERY_MS,
  })
}
