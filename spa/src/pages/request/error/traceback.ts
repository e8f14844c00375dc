/** Parse a Python traceback, so that the page shows user code and folds library frames. Pure. */

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

/** Return the frames, outermost first; for chained exceptions those of the last one, which ended the attempt. */
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

/** Group consecutive frames of user code or of libraries. */
export function groupFrames(frames: Frame[]): Block[] {
  const blocks: Block[] = []
  for (const frame of frames) {
    const block = blocks.at(-1)
    if (block?.isLibrary === frame.isLibrary) block.frames.push(frame)
    else blocks.push({ isLibrary: frame.isLibrary, frames: [frame] })
  }
  return blocks
}

/** Return the last folder and the file name, such as `functions/report.py`. */
export function shortPath(file: string): string {
  return file.split(/[/\\]/).slice(-2).join('/')
}
