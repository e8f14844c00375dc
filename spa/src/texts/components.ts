import { count } from './count'

export const components = {
  status: {
    pending: 'pending',
    processing: 'processing',
    completed: 'completed',
    failed: 'failed',
    cancelled: 'cancelled',
  },
  paused: 'paused',
  copy: 'Copy',
  copied: 'Copied',
  copyFailed: 'The browser did not allow copying.',
  json: {
    search: 'Search in it',
    expand: 'Unfold all',
    collapse: 'Fold all',
    hits: (n: number) => count(n, 'place'),
    more: (n: number) => `Show ${n.toLocaleString('en')} more`,
    items: (n: number) => count(n, 'item'),
    keys: (n: number) => count(n, 'key'),
    longText: (n: number) => `… ${count(n, 'character')}, show all`,
    format: 'Format',
    valid: 'Valid JSON',
    place: (line: number, column: number, what: string) => `Line ${line}, column ${column}: ${what}`,
    notJson: 'This is not JSON.',
    empty: 'An event is needed; {} will do.',
  },
  pager: { label: 'Pages', first: 'Newest', previous: 'Newer', next: 'Older' },
  confirm: { cancel: 'Keep', working: 'Working…' },
  table: {
    loading: 'Loading…',
    selectAll: 'Select all on this page',
    select: (what: string) => `Select ${what}`,
  },
  sparkline: (n: number, high: number) => `${count(n, 'value')}, highest ${high.toLocaleString('en')}`,
  time: { now: 'now', never: '–' },
} as const
