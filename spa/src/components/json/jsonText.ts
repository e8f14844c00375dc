/** JSON as text, of which no value passes through JavaScript: what is sent is what was stored or typed. Pure. */
import { applyEdits, findNodeAtLocation, format, parseTree } from 'jsonc-parser'

/** Return the text of an object's member. Throws where there is none. */
export function memberText(object: string, name: string): string {
  const root = parseTree(object)
  const member = root && findNodeAtLocation(root, [name])
  if (!member) throw new Error(`The answer has no ${name}.`)
  return object.slice(member.offset, member.offset + member.length)
}

/** Return the same JSON with two spaces a level. */
export function formatJson(text: string): string {
  return applyEdits(text, format(text, undefined, { insertSpaces: true, tabSize: 2 }))
}
