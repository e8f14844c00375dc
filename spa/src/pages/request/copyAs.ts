/** This request again, from a shell or a program. Pure: the texts that "Copy as" puts into the clipboard. */
import type { Request, RequestFile } from '@/api/types'

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** A file's name as curl reads it, to which `;` and `,` are more than letters. */
function curlFile(name: string, filename: string): string {
  const path = filename.replaceAll('\\', '\\\\').replaceAll('"', '\\"')
  return `-F ${quoted(`${name}=@"${path}"`)}`
}

const uploads = (request: Request): RequestFile[] => request.files.filter(({ kind }) => kind === 'input')
const address = (request: Request, apiRoot: string) => `${apiRoot}/functions/${request.function}`

/** event: JSON as text. needsKey: the caller sends an API key, which stays in the environment. */
export function asCurl(request: Request, event: string, apiRoot: string, needsKey = false): string {
  const files = uploads(request)
  const body = files.length
    ? [
        `--form-string ${quoted(`event=${event}`)}`, // -F would take a `;` in it for the end
        ...files.map(({ name, filename }) => curlFile(name, filename)),
      ]
    : [`-H 'Content-Type: application/json'`, `-d ${quoted(event)}`]
  const key = needsKey ? ['-H "Authorization: Bearer $LOCALFN_API_KEY"'] : []
  return ['curl', quoted(address(request, apiRoot)), ...key, ...body].join(' ')
}

export function asCommand(request: Request, event: string): string {
  const files = uploads(request).map(({ name, filename }) => `--file ${quoted(`${name}=${filename}`)}`)
  return ['localfn functions invoke', request.function, `--data ${quoted(event)}`, ...files, '--wait'].join(
    ' ',
  )
}

export function asPython(request: Request, event: string, apiRoot: string, needsKey = false): string {
  const files = uploads(request)
  const url = pythonString(address(request, apiRoot))
  const parts = files.map(
    ({ name, filename }) => `${pythonString(name)}: open(${pythonString(filename)}, "rb")`,
  )
  const headers = [
    ...(files.length ? [] : ['"Content-Type": "application/json"']),
    ...(needsKey ? [`"Authorization": "Bearer " + os.environ["LOCALFN_API_KEY"]`] : []),
  ]
  const body = files.length
    ? `data={"event": ${pythonString(event)}}, files={${parts.join(', ')}}`
    : `content=${pythonString(event)}`
  const call = `answer = httpx.post(${url}, ${body}, headers={${headers.join(', ')}})`
  return [
    ...(needsKey ? ['import os', ''] : []),
    'import httpx',
    '',
    call,
    'print(answer.raise_for_status().json()["id"])',
    '',
  ].join('\n')
}

/** A JSON string is a Python string, but for what JSON leaves unescaped and Python would not: nothing of the sort. */
function pythonString(text: string): string {
  return JSON.stringify(text)
}
