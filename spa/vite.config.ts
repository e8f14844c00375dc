/// <reference types="vitest/config" />
// How the SPA is built: asset links carry a placeholder that `localfn init` turns into the address of this installation.
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
      // The development server needs no injection: it answers at the root and passes the API on.
      name: 'localfn-roots',
      transformIndexHtml: (html: string) =>
        command === 'serve' ? html.replaceAll(STATIC_ROOT, '/').replaceAll(API_ROOT, '/api') : html,
    },
  ],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  experimental: {
    // Only index.html names the roots. A hashed file then holds the same bytes in every installation, so that
    // browsers may keep it for ever; scripts and styles find each other by relative links.
    renderBuiltUrl: (filename, { hostType }) =>
      hostType === 'html' ? STATIC_ROOT + filename : { relative: true },
  },
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false }, // it would be an inline script; every supported browser preloads by itself
    assetsInlineLimit: 0, // data: addresses are none of 'self'
    cssCodeSplit: true,
    reportCompressedSize: false,
    rolldownOptions: { checks: { pluginTimings: false } }, // how long a plugin took is no news to who starts localfn
  },
  server: {
    proxy: Object.fromEntries(
      ['/api', '/rq', '/readyz', '/openapi.json', '/docs'].map((path) => [
        path,
        { target: RUNTIME, changeOrigin: false },
      ]),
    ),
  },
  test: { environment: 'happy-dom', include: ['tests/**/*.test.ts'], restoreMocks: true },
}))
