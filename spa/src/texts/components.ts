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
  copied: 'Copied.',
  copyFailed: 'The browser did not allow copying. Select the text and copy it by hand.',
  json: {
    search: 'Search',
    expand: 'Expand all',
    collapse: 'Collapse all',
    hits: (n: number) => count(n, 'match', 'matches'),
    more: (n: number) => `Show ${n.toLocaleString('en')} more`,
    items: (n: number) => count(n, 'item'),
    keys: (n: number) => count(n, 'key'),
    longText: (n: number) => `… show all ${count(n, 'character')}`,
    format: 'Format',
    valid: 'Valid JSON',
    syntaxError: (line: number, column: number, message: string) =>
      `Line ${line}, column ${column}: ${message}`,
    empty: 'Enter JSON, for example {}.',
  },
  pager: { label: 'Pages', first: 'Newest', previous: 'Newer', next: 'Older' },
  confirm: { back: 'Go back', working: 'Working…' },
  table: {
    loading: 'Loading…',
    selectAll: 'Select all on this page',
    select: (row: string) => `Select ${row}`,
  },
  sparkline: (n: number, high: number) => `${count(n, 'value')}, highest ${high.toLocaleString('en')}`,
  time: { never: '–' },
} as const
