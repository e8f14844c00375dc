/** Where this installation's files and API answer; `localfn init` writes both into index.html. */

function meta(name: string): string {
  return document.querySelector<HTMLMetaElement>(`meta[name="localfn-${name}"]`)?.content ?? ''
}

export function withTrailingSlash(root: string): string {
  return root.endsWith('/') ? root : `${root}/`
}

/** The router's base: the static root's path, or the page's own root where assets come from another host. */
export function routerBase(staticRoot = meta('static-root'), origin = location.origin): string {
  const url = new URL(withTrailingSlash(staticRoot), origin)
  return url.origin === origin ? url.pathname : '/'
}

/** The address of a call: `apiUrl('/requests', { status: 'failed' })`. Parameters without a value are left out. */
export function apiUrl(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') parameters.set(name, String(value))
  }
  const text = parameters.toString()
  return (meta('api-root') || '/api').replace(/\/+$/, '') + path + (text ? `?${text}` : '')
}

/** What stands beside the API: /rq/, /docs, /readyz … */
export function siblingUrl(path: string): string {
  return withTrailingSlash(apiUrl('').replace(/\/api$/, '')) + path
}

export type Query = Record<string, string | number | boolean | null | undefined>
