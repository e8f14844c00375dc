/** Edit JSON as text. Values never pass through JavaScript, so that no number changes on its way. Pure. */
import { applyEdits, findNodeAtLocation, format, parseTree } from 'jsonc-parser'

/** Return the text of an object's member. Throws if it is missing. */
export function memberText(object: string, name: string): string {
  const root = parseTree(object)
  const member = root && findNodeAtLocation(root, [name])
  if (!member) throw new Error(`The response has no ${name}.`)
  return object.slice(member.offset, member.offset + member.length)
}

/** Return the JSON indented by two spaces. */
export function formatJson(text: string): string {
  return applyEdits(text, format(text, undefined, { insertSpaces: true, tabSize: 2 }))
}
