import { expect, test } from 'vitest'
import type { Attempt, Request } from '@/api/types'
import { buildTimeline } from '@/pages/request/attempts/timeline'
import { asCommand, asCurl, asPython } from '@/pages/request/copyAs'
import { groupFrames, parseFrames } from '@/pages/request/error/traceback'
import { parseAnsi, stripAnsi } from '@/pages/request/logs/ansi'
import { phaseSteps } from '@/pages/request/phaseSteps'

const NOW = new Date('2026-01-01T00:00:10.000Z')
const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, 0) + second * 1000).toISOString()

const REQUEST: Request = {
  id: '01890a5d-ac96-774b-bcce-b302099a8057',
  function: 'echo',
  status: 'processing',
  phase: 'process',
  progress: { fraction: null, message: null },
  event: { "it's": 1 },
  attempt: 1,
  max_attempts: 1,
  job_id: null,
  queue: 'default',
  schedule: null,
  scheduled_for: null,
  created_at: at(0),
  available_at: at(0),
  started_at: at(2),
  finished_at: null,
  error_type: null,
  error_message: null,
  cancel_requested: false,
  cancelled: false,
  worker: 'w',
  files: [],
  links: { self: '', result: '', attempts: '', logs: '', cancel: '', retry: '' },
}
const ATTEMPT: Attempt = {
  number: 1,
  outcome: null,
  worker: 'w',
  started_at: at(2),
  finished_at: null,
  phases: [],
  cold_start: null,
  init_ms: null,
  max_rss_mb: null,
  error_type: null,
  error_message: null,
  traceback: null,
}
const FAILED: Attempt = {
  ...ATTEMPT,
  outcome: 'failed',
  finished_at: at(5),
  cold_start: true,
  init_ms: 1_000,
  phases: [
    { phase: 'validate', started_at: at(2), finished_at: at(3.5), duration_ms: 1_500, outcome: 'ok' },
    { phase: 'process', started_at: at(3.5), finished_at: at(5), duration_ms: 1_500, outcome: 'failed' },
    { phase: 'cleanup', started_at: at(5), finished_at: at(5), duration_ms: 0.1, outcome: 'ok' },
  ],
}

const states = (request: Request, attempt?: Attempt) =>
  phaseSteps(request, attempt, NOW).map(({ state }) => state)

test('steps follow the phase of a running attempt and the stored phases of an ended one', () => {
  expect(states(REQUEST, ATTEMPT)).toEqual(['done', 'done', 'running', 'waiting', 'waiting'])
  expect(states({ ...REQUEST, status: 'pending', phase: null })).toEqual([
    'done',
    'waiting',
    'waiting',
    'waiting',
    'waiting',
  ])
  expect(states({ ...REQUEST, status: 'failed', phase: null }, FAILED)).toEqual([
    'done',
    'done',
    'failed',
    'skipped',
    'done',
  ])
})

test('a killed phase has failed and has no duration', () => {
  const killed: Attempt = { ...FAILED, outcome: 'killed', phases: [{ phase: 'process', started_at: at(2) }] }
  const step = phaseSteps({ ...REQUEST, status: 'failed' }, killed, NOW).find(
    ({ name }) => name === 'process',
  )
  expect(step).toMatchObject({ state: 'failed', duration: '' })
})

test('a cancelled phase is not failed, in the steps and on the timeline', () => {
  const cancelled: Request = { ...REQUEST, status: 'failed', cancelled: true }
  for (const end of [{}, { outcome: 'cancelled' }]) {
    const phases = [{ phase: 'process' as const, started_at: at(2), ...end }]
    const attempt: Attempt = { ...FAILED, outcome: 'cancelled', phases }
    expect(states(cancelled, attempt)).toEqual(['done', 'skipped', 'cancelled', 'skipped', 'skipped'])
    const [row] = buildTimeline(cancelled, [attempt], NOW)
    expect(row?.segments.map(({ isFailed }) => isFailed)).toEqual([false, false])
  }
})

const RUNNING: Attempt = {
  ...ATTEMPT,
  cold_start: true,
  init_ms: 1_000,
  phases: [
    { phase: 'validate', started_at: at(2), finished_at: at(4), duration_ms: 2_000, outcome: 'ok' },
    { phase: 'process', started_at: at(4) },
  ],
}

test('the last phase of a running attempt lasts until now', () => {
  const steps = phaseSteps(REQUEST, RUNNING, NOW).map(({ state, duration }) => [state, duration])
  expect(steps).toEqual([
    ['done', ''],
    ['done', '2.0 s'],
    ['running', '6.0 s'],
    ['waiting', ''],
    ['waiting', ''],
  ])
  const [row] = buildTimeline(REQUEST, [RUNNING], NOW)
  expect(row?.segments.map(({ kind, ms, isFailed }) => [kind, ms, isFailed])).toEqual([
    ['waiting', 2_000, false],
    ['cold', 1_000, false],
    ['validate', 1_000, false],
    ['process', 6_000, false],
  ])
})

test('a lost attempt shows its stored phases, the last one as failed', () => {
  const lost: Attempt = { ...RUNNING, outcome: 'lost', finished_at: at(9) }
  const [row] = buildTimeline({ ...REQUEST, status: 'failed' }, [lost], NOW)
  expect(row?.segments.at(-1)).toMatchObject({ kind: 'process', ms: 5_000, isFailed: true })
  const step = phaseSteps({ ...REQUEST, status: 'failed' }, lost, NOW).find(({ name }) => name === 'process')
  expect(step).toMatchObject({ state: 'failed', duration: '' })
})

test('the timeline shows waiting, cold start, phases and backoff on one axis', () => {
  const second: Attempt = { ...ATTEMPT, number: 2, started_at: at(8) }
  const [first, next] = buildTimeline(REQUEST, [FAILED, second], NOW)
  expect(first?.segments.map(({ kind, ms, isFailed }) => [kind, ms, isFailed])).toEqual([
    ['waiting', 2_000, false],
    ['cold', 1_000, false],
    ['validate', 500, false],
    ['process', 1_500, true],
  ])
  expect(next?.segments.map(({ kind, ms }) => [kind, ms])).toEqual([
    ['backoff', 3_000],
    ['process', 2_000],
  ])
  const last = next?.segments.at(-1)
  expect((last?.left ?? 0) + (last?.width ?? 0)).toBeCloseTo(1)
})

test('user code and library frames of a traceback are grouped', () => {
  const traceback = [
    'Traceback (most recent call last):',
    '  File "/app/functions/report.py", line 9, in report',
    '    return parse(text)',
    '           ^^^^^^^^^^^',
    '  File "/usr/lib/python3.11/json/__init__.py", line 346, in loads',
    '    return _default_decoder.decode(s)',
    '  File "/app/.venv/lib/python3.12/site-packages/x/y.py", line 1, in z',
    'json.decoder.JSONDecodeError: Expecting value',
  ].join('\n')
  const blocks = groupFrames(parseFrames(traceback))
  expect(blocks.map(({ isLibrary, frames }) => [isLibrary, frames.length])).toEqual([
    [false, 1],
    [true, 2],
  ])
  expect(blocks[0]?.frames[0]).toMatchObject({ file: '/app/functions/report.py', line: 9, name: 'report' })
  expect(blocks[0]?.frames[0]?.code).toEqual(['return parse(text)', '       ^^^^^^^^^^^'])
})

test('the frames are those of the last chained exception', () => {
  const one = 'Traceback (most recent call last):\n  File "/a.py", line 1, in f\nKeyError: 1\n'
  const two = one.replace('/a.py', '/b.py')
  const frames = parseFrames(
    `${one}\nDuring handling of the above exception, another exception occurred:\n\n${two}`,
  )
  expect(frames.map(({ file }) => file)).toEqual(['/b.py'])
})

test.each([
  [
    '\x1b[32mok\x1b[0m rest',
    [
      ['ok', 'ansi-2'],
      [' rest', ''],
    ],
  ],
  ['\x1b[1;91mbad', [['bad', 'ansi-9 ansi-bold']]],
  ['\x1b[38;5;196mred\x1b[39m', [['red', 'ansi-9']]],
  ['\x1b[38;2;0;90;0mgreen', [['green', 'ansi-2']]],
  ['\x1b[2K\x1b]0;title\x07plain', [['plain', '']]],
  ['\x1b[7mhalf a sequence \x1b[', [['half a sequence ', '']]],
])('ANSI sequences become classes: %j', (line, expected) => {
  expect(parseAnsi(line).map(({ text, classes }) => [text, classes.join(' ')])).toEqual(expected)
})

test.each([
  ['\r 10 %\r 50 %', ' 50 %'],
  ['\r 50 %\r', ' 50 %'],
  ['done\r', 'done'],
  ['\r\x1b[32m90 %\x1b[0m', '90 %'],
])('a line that overwrites itself shows its last state: %j', (line, expected) => {
  expect(stripAnsi(line)).toBe(expected)
  expect(parseAnsi(line).map(({ text }) => text)).toEqual([expected])
})

test('the log filter ignores colours', () => {
  expect(stripAnsi('\x1b[1mre\x1b[0mport')).toBe('report')
})

const EVENT = `{"it's":1}`

test('copied calls contain the event with exact numbers', () => {
  const event = '{"2":1.0,"1":1849263518273645211}'
  const escaped = event.replaceAll('"', String.raw`\"`)
  expect(asCurl(REQUEST, event, '/api')).toContain(`-d '${event}'`)
  expect(asCommand(REQUEST, event)).toContain(`--data '${event}'`)
  expect(asPython(REQUEST, event, '/api')).toContain(`content="${escaped}"`)
})

test('copied calls quote shell metacharacters', () => {
  expect(asCurl(REQUEST, EVENT, 'http://h/api')).toBe(
    `curl 'http://h/api/functions/echo' -H 'Content-Type: application/json' -d '{"it'\\''s":1}'`,
  )
  const file = {
    name: 'csv',
    kind: 'input' as const,
    filename: 'a b.csv',
    size: 1,
    content_type: '',
    sha256: '',
    href: '',
  }
  const upload: Request = { ...REQUEST, event: {}, files: [file, { ...file, kind: 'output' }] }
  expect(asCurl(upload, '{}', '/api')).toBe(
    `curl '/api/functions/echo' --form-string 'event={}' -F 'csv=@"a b.csv"'`,
  )
  expect(asCommand(upload, '{}')).toBe(
    `localfn functions invoke echo --data '{}' --file 'csv=a b.csv' --wait`,
  )
  expect(asCurl(REQUEST, EVENT, '/api', true)).toContain('-H "Authorization: Bearer $LOCALFN_API_KEY"')
  expect(asPython(REQUEST, EVENT, '/api', true)).toContain('os.environ["LOCALFN_API_KEY"]')
  expect(asPython(REQUEST, EVENT, '/api')).toContain(String.raw`content="{\"it's\":1}"`)
})
