/** The base URLs of the assets and of the API. `localfn init` writes both into index.html. */

function meta(name: string): string {
  return document.querySelector<HTMLMetaElement>(`meta[name="localfn-${name}"]`)?.content ?? ''
}

export function withTrailingSlash(root: string): string {
  return root.endsWith('/') ? root : `${root}/`
}

/** Return the router's base: the path of the static root, or / if the assets come from another host. */
export function routerBase(staticRoot = meta('static-root'), origin = location.origin): string {
  const url = new URL(withTrailingSlash(staticRoot), origin)
  return url.origin === origin ? url.pathname : '/'
}

/** Return the URL of a call, as in `apiUrl('/requests', { status: 'failed' })`. Empty parameters are omitted. */
export function apiUrl(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') parameters.set(name, String(value))
  }
  const text = parameters.toString()
  return (meta('api-root') || '/api').replace(/\/+$/, '') + path + (text ? `?${text}` : '')
}

/** Return the URL of a path beside the API, such as rq/, docs or readyz. */
export function siblingUrl(path: string): string {
  return withTrailingSlash(apiUrl('').replace(/\/api$/, '')) + path
}

export type Query = Record<string, string | number | boolean | null | undefined>
