/** A Python traceback taken apart, so that a person sees the own lines before those of libraries. Pure. */

export interface Frame {
  file: string
  line: number
  name: string
  code: string[]
  isLibrary: boolean
}

export interface Block {
  isLibrary: boolean
  frames: Frame[]
}

const FRAME = /^ {2}File "(.+)", line (\d+), in (.+)$/
const LIBRARY =
  /[/\\](site-packages|dist-packages|lib[/\\]python\d[\d.]*)[/\\]|^<|[/\\]queue[/\\]localfn[/\\]/

/** The frames, outermost first; of chained exceptions those of the last one, which is the one that counts. */
export function parseFrames(traceback: string): Frame[] {
  const frames: Frame[] = []
  const last = traceback.lastIndexOf('Traceback (most recent call last):')
  for (const text of traceback.slice(Math.max(0, last)).split('\n')) {
    const match = FRAME.exec(text)
    if (match) {
      const [, file = '', line = '0', name = ''] = match
      frames.push({ file, line: Number(line), name, code: [], isLibrary: LIBRARY.test(file) })
    } else if (text.startsWith('    ')) {
      frames.at(-1)?.code.push(text.slice(4))
    }
  }
  return frames
}

/** Neighbours of one kind together. */
export function groupFrames(frames: Frame[]): Block[] {
  const blocks: Block[] = []
  for (const frame of frames) {
    const block = blocks.at(-1)
    if (block?.isLibrary === frame.isLibrary) block.frames.push(frame)
    else blocks.push({ isLibrary: frame.isLibrary, frames: [frame] })
  }
  return blocks
}

/** `functions/report.py`, for a path too long to read. */
export function shortPath(file: string): string {
  return file.split(/[/\\]/).slice(-2).join('/')
}
