/// <reference types="vitest/config" />
// The build of the SPA. Asset links contain a placeholder that `localfn init` replaces by this installation's base URL.
import { fileURLToPath } from 'node:url'

import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'

const STATIC_ROOT = 'VITE_APP_STATIC_ROOT_PLACEHOLDER'
const API_ROOT = 'VITE_APP_API_ROOT_PLACEHOLDER'
const RUNTIME = process.env.LOCALFN_URL ?? 'http://127.0.0.1:5000'

export default defineConfig(({ command }) => ({
  plugins: [
    vue(),
    {
      // The development server needs no placeholders: it serves / and proxies the API.
      name: 'localfn-roots',
      transformIndexHtml: (html: string) =>
        command === 'serve' ? html.replaceAll(STATIC_ROOT, '/').replaceAll(API_ROOT, '/api') : html,
    },
  ],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  experimental: {
    // Only index.html contains the base URLs. Hashed files are then equal in all installations, so that browsers
    // may cache them for ever; scripts and styles find each other by relative links.
    renderBuiltUrl: (filename, { hostType }) =>
      hostType === 'html' ? STATIC_ROOT + filename : { relative: true },
  },
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false }, // the polyfill is an inline script, which the CSP blocks; all supported browsers preload
    assetsInlineLimit: 0, // the CSP blocks data: URLs
    cssCodeSplit: true,
    reportCompressedSize: false,
    rolldownOptions: { checks: { pluginTimings: false } }, // plugin times would clutter the output of ./dev up
  },
  server: {
    proxy: Object.fromEntries(
      // All that web serves besides the pages; a test compares this with its routes.
      ['/api', '/rq', '/healthz', '/readyz', '/metrics', '/openapi.json', '/docs'].map((path) => [
        path,
        { target: RUNTIME, changeOrigin: false },
      ]),
    ),
  },
  test: { environment: 'happy-dom', include: ['tests/**/*.test.ts'], restoreMocks: true },
}))
