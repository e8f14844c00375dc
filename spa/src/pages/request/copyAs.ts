/** This request again, from a shell or a program. Pure: the texts that "Copy as" puts into the clipboard. */
import type { Request, RequestFile } from '@/api/types'

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

const uploads = (request: Request): RequestFile[] => request.files.filter(({ kind }) => kind === 'input')
const address = (request: Request, apiRoot: string) => `${apiRoot}/functions/${request.function}`

export function asCurl(request: Request, apiRoot: string): string {
  const files = uploads(request)
  const event = JSON.stringify(request.event)
  const body = files.length
    ? [
        `-F ${quoted(`event=${event}`)}`,
        ...files.map(({ name, filename }) => `-F ${quoted(`${name}=@${filename}`)}`),
      ]
    : [`-H 'Content-Type: application/json'`, `-d ${quoted(event)}`]
  return ['curl', quoted(address(request, apiRoot)), ...body].join(' ')
}

export function asCommand(request: Request): string {
  const files = uploads(request).map(({ name, filename }) => `--file ${quoted(`${name}=${filename}`)}`)
  const event = `--data ${quoted(JSON.stringify(request.event))}`
  return ['localfn functions invoke', request.function, event, ...files, '--wait'].join(' ')
}

export function asPython(request: Request, apiRoot: string): string {
  const files = uploads(request)
  const url = pythonOf(address(request, apiRoot))
  const event = pythonOf(JSON.stringify(request.event))
  const parts = files.map(({ name, filename }) => `${pythonOf(name)}: open(${pythonOf(filename)}, "rb")`)
  const call = files.length
    ? `answer = httpx.post(${url}, data={"event": ${event}}, files={${parts.join(', ')}})`
    : `answer = httpx.post(${url}, content=${event}, headers={"Content-Type": "application/json"})`
  return ['import httpx', '', call, 'print(answer.raise_for_status().json()["id"])', ''].join('\n')
}

/** A JSON string is a Python string, but for what JSON leaves unescaped and Python would not: nothing of the sort. */
function pythonOf(text: string): string {
  return JSON.stringify(text)
}
