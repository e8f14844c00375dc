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
  return usePolling<Seen>({
    ask: async (signal) => {
      const stats = await readStats(signal)
      // With the database away the others have nothing to say, and the stats say that.
      const isAway = stats.problems.some(({ code }) => code === 'database_away')
      const [workers, sandboxes] = isAway
        ? [[], []]
        : await Promise.all([readWorkers(signal), readSandboxes(signal)])
      return { stats, workers, sandboxes }
    },
    every: () => EVERY_MS,
  })
}
