/** Text with ANSI colour sequences as pieces with a style; other sequences are left out. Pure. */

export interface Piece {
  text: string
  /** `ansi-1` … `ansi-15`, `ansi-bold` …: the theme gives them their colours. */
  classes: string[]
}

interface Pen {
  colour: number | null
  background: number | null
  bold: boolean
  dim: boolean
  italic: boolean
  underline: boolean
}

const BLANK: Pen = {
  colour: null,
  background: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
}
// Colours by SGR, and fetchAllMatching else that a terminal would not print: cursor moves, titles, lone control characters.
/* eslint-disable no-control-regex -- control characters are what this looks for */
const SEQUENCE =
  /\x1b\[([\d;:]*)m|\x1b\[[\d;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.?|[\x00-\x08\x0b-\x1f\x7f]/g
/* eslint-enable no-control-regex */

/** Of a line that returned to its beginning, as a progress bar does: what was written last. */
function lastState(line: string): string {
  return line.slice(line.lastIndexOf('\r', line.trimEnd().length - 1) + 1)
}

export function piecesOf(whole: string): Piece[] {
  const line = lastState(whole)
  const pieces: Piece[] = []
  let pen = BLANK
  let from = 0
  const write = (text: string) => text && pieces.push({ text, classes: classesOf(pen) })
  for (const match of line.matchAll(SEQUENCE)) {
    write(line.slice(from, match.index))
    from = match.index + match[0].length
    if (match[1] !== undefined) pen = drawn(pen, match[1].split(/[;:]/).map(Number))
  }
  write(line.slice(from))
  return pieces
}

export function stripAnsi(line: string): string {
  return lastState(line).replace(SEQUENCE, '')
}

const SWITCHES: Record<number, Partial<Pen>> = {
  1: { bold: true },
  2: { dim: true },
  3: { italic: true },
  4: { underline: true },
  22: { bold: false, dim: false },
  23: { italic: false },
  24: { underline: false },
  39: { colour: null },
  49: { background: null },
}

function drawn(before: Pen, codes: number[]): Pen {
  let pen = before
  const left = [...codes]
  for (let code = left.shift(); code !== undefined; code = left.shift()) {
    if (code === 0) pen = BLANK
    else if (code === 38) pen = { ...pen, colour: extended(left) }
    else if (code === 48) pen = { ...pen, background: extended(left) }
    else pen = { ...pen, ...(SWITCHES[code] ?? basic(code)) }
  }
  return pen
}

function basic(code: number): Partial<Pen> {
  if (code >= 30 && code <= 37) return { colour: code - 30 }
  if (code >= 90 && code <= 97) return { colour: code - 82 }
  if (code >= 40 && code <= 47) return { background: code - 40 }
  if (code >= 100 && code <= 107) return { background: code - 92 }
  return {}
}

/** Of 256 colours and of true colour the nearest of the sixteen, which both themes can show readably. */
function extended(left: number[]): number | null {
  const kind = left.shift()
  if (kind === 2) return nearest(left.splice(0, 3))
  const index = left.shift() ?? 0
  if (index < 16) return index
  if (index >= 232) return index < 244 ? 8 : 7
  const cube = index - 16
  return nearest([Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map((part) => part * 51))
}

function nearest(rgb: number[]): number {
  const [red = 0, green = 0, blue = 0] = rgb
  const half = Math.max(red, green, blue) / 2
  const hue = (red > half ? 1 : 0) + (green > half ? 2 : 0) + (blue > half ? 4 : 0)
  return Math.max(red, green, blue) > 190 ? hue + 8 : hue
}

function classesOf(pen: Pen): string[] {
  const classes: string[] = []
  if (pen.colour !== null) classes.push(`ansi-${pen.colour}`)
  if (pen.background !== null) classes.push(`ansi-on-${pen.background % 8}`)
  for (const name of ['bold', 'dim', 'italic', 'underline'] as const)
    if (pen[name]) classes.push(`ansi-${name}`)
  return classes
}
