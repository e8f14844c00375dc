/** The texts of "Copy as": calls that create the same request. Pure. */
import type { Request, RequestFile } from '@/api/types'

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** Return curl's option for a file. The name is quoted: curl gives `;` and `,` a meaning. */
function curlFile(name: string, filename: string): string {
  const path = filename.replaceAll('\\', '\\\\').replaceAll('"', '\\"')
  return `-F ${shellQuote(`${name}=@"${path}"`)}`
}

const uploads = (request: Request): RequestFile[] => request.files.filter(({ kind }) => kind === 'input')
const functionUrl = (request: Request, apiRoot: string) => `${apiRoot}/functions/${request.function}`

/** event: JSON as text. needsKey: send the API key of the environment, so that the text contains no secret. */
export function asCurl(request: Request, event: string, apiRoot: string, needsKey = false): string {
  const files = uploads(request)
  const body = files.length
    ? [
        `--form-string ${shellQuote(`event=${event}`)}`, // -F would cut the event at a `;`
        ...files.map(({ name, filename }) => curlFile(name, filename)),
      ]
    : [`-H 'Content-Type: application/json'`, `-d ${shellQuote(event)}`]
  const key = needsKey ? ['-H "Authorization: Bearer $LOCALFN_API_KEY"'] : []
  return ['curl', shellQuote(functionUrl(request, apiRoot)), ...key, ...body].join(' ')
}

export function asCommand(request: Request, event: string): string {
  const files = uploads(request).map(({ name, filename }) => `--file ${shellQuote(`${name}=${filename}`)}`)
  return [
    'localfn functions invoke',
    request.function,
    `--data ${shellQuote(event)}`,
    ...files,
    '--wait',
  ].join(' ')
}

export function asPython(request: Request, event: string, apiRoot: string, needsKey = false): string {
  const files = uploads(request)
  const url = pythonString(functionUrl(request, apiRoot))
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
  const call = `response = httpx.post(${url}, ${body}, headers={${headers.join(', ')}})`
  return [
    ...(needsKey ? ['import os', ''] : []),
    'import httpx',
    '',
    call,
    'print(response.raise_for_status().json()["id"])',
    '',
  ].join('\n')
}

/** Return a Python string literal; each JSON string is one. */
function pythonString(text: string): string {
  return JSON.stringify(text)
}
