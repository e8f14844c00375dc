/** Parse text with ANSI colour sequences into styled pieces, and drop all other sequences. Pure. */

export interface Piece {
  text: string
  /** `ansi-1` … `ansi-15`, `ansi-bold` …; the stylesheet gives the colours. */
  classes: string[]
}

interface Style {
  colour: number | null
  background: number | null
  bold: boolean
  dim: boolean
  italic: boolean
  underline: boolean
}

const PLAIN: Style = {
  colour: null,
  background: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
}
// SGR colours, and all other sequences that a terminal does not print: cursor moves, titles, control characters.
/* eslint-disable no-control-regex -- it matches control characters */
const SEQUENCE =
  /\x1b\[([\d;:]*)m|\x1b\[[\d;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.?|[\x00-\x08\x0b-\x1f\x7f]/g
/* eslint-enable no-control-regex */

/** Return the text after the last carriage return, as a terminal shows a progress bar. */
function afterLastReturn(line: string): string {
  return line.slice(line.lastIndexOf('\r', line.trimEnd().length - 1) + 1)
}

export function parseAnsi(text: string): Piece[] {
  const line = afterLastReturn(text)
  const pieces: Piece[] = []
  let style = PLAIN
  let from = 0
  const write = (text: string) => text && pieces.push({ text, classes: classesOf(style) })
  for (const match of line.matchAll(SEQUENCE)) {
    write(line.slice(from, match.index))
    from = match.index + match[0].length
    if (match[1] !== undefined) style = applyCodes(style, match[1].split(/[;:]/).map(Number))
  }
  write(line.slice(from))
  return pieces
}

export function stripAnsi(line: string): string {
  return afterLastReturn(line).replace(SEQUENCE, '')
}

const SWITCHES: Record<number, Partial<Style>> = {
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

function applyCodes(previous: Style, codes: number[]): Style {
  let style = previous
  const left = [...codes]
  for (let code = left.shift(); code !== undefined; code = left.shift()) {
    if (code === 0) style = PLAIN
    else if (code === 38) style = { ...style, colour: extended(left) }
    else if (code === 48) style = { ...style, background: extended(left) }
    else style = { ...style, ...(SWITCHES[code] ?? basic(code)) }
  }
  return style
}

function basic(code: number): Partial<Style> {
  if (code >= 30 && code <= 37) return { colour: code - 30 }
  if (code >= 90 && code <= 97) return { colour: code - 82 }
  if (code >= 40 && code <= 47) return { background: code - 40 }
  if (code >= 100 && code <= 107) return { background: code - 92 }
  return {}
}

/** Map 256 colours and true colour to the nearest of the 16 basic colours, which are readable in both themes. */
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

function classesOf(style: Style): string[] {
  const classes: string[] = []
  if (style.colour !== null) classes.push(`ansi-${style.colour}`)
  if (style.background !== null) classes.push(`ansi-on-${style.background % 8}`)
  for (const name of ['bold', 'dim', 'italic', 'underline'] as const)
    if (style[name]) classes.push(`ansi-${name}`)
  return classes
}
