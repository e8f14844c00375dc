/** All routes of the SPA. Each page is a folder in pages/, loaded when it is first opened. */
import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import { routerBase } from '@/api/baseUrls'
import { accounts, app, audit, functions, overview, request, requests, schedules, firstRun } from '@/texts'

declare module 'vue-router' {
  interface RouteMeta {
    title: string
  }
}

export const routes: RouteRecordRaw[] = [
  { path: '/', redirect: '/overview' },
  {
    path: '/requests',
    name: 'requests',
    component: () => import('@/pages/requests/RequestsPage.vue'),
    meta: { title: requests.title },
  },
  {
    path: '/requests/:id',
    name: 'request',
    component: () => import('@/pages/request/RequestPage.vue'),
    props: true,
    meta: { title: request.title },
  },
  {
    path: '/overview',
    name: 'overview',
    component: () => import('@/pages/overview/OverviewPage.vue'),
    meta: { title: overview.title },
  },
  {
    path: '/functions',
    name: 'functions',
    component: () => import('@/pages/functions/FunctionsPage.vue'),
    meta: { title: functions.title },
  },
  {
    path: '/functions/:name',
    name: 'function',
    component: () => import('@/pages/functions/FunctionPage.vue'),
    props: true,
    meta: { title: functions.singular },
  },
  {
    path: '/schedules',
    name: 'schedules',
    component: () => import('@/pages/schedules/SchedulesPage.vue'),
    meta: { title: schedules.title },
  },
  {
    path: '/schedules/:name',
    name: 'schedule',
    component: () => import('@/pages/schedules/SchedulePage.vue'),
    props: true,
    meta: { title: schedules.singular },
  },
  {
    path: '/welcome',
    name: 'welcome',
    component: () => import('@/pages/first-run/FirstRunPage.vue'),
    meta: { title: firstRun.title },
  },
  {
    path: '/users',
    name: 'users',
    component: () => import('@/pages/admin/users/UsersPage.vue'),
    meta: { title: accounts.users.title },
  },
  {
    path: '/keys',
    name: 'keys',
    component: () => import('@/pages/admin/keys/KeysPage.vue'),
    meta: { title: accounts.keys.title },
  },
  {
    path: '/audit',
    name: 'audit',
    component: () => import('@/pages/admin/audit/AuditPage.vue'),
    meta: { title: audit.title },
  },
  {
    path: '/:rest(.*)*',
    name: 'not-found',
    component: () => import('@/pages/NotFound.vue'),
    meta: { title: app.notFound.title },
  },
]

export function makeRouter() {
  const router = createRouter({
    history: createWebHistory(routerBase()),
    routes,
    // Back and forward restore the scroll position.
    scrollBehavior: (to, from, saved) =>
      saved ?? (to.hash ? { el: to.hash } : to.path === from.path ? false : { top: 0 }),
  })
  router.afterEach((to) => {
    document.title = `${to.meta.title} · ${app.name}`
  })
  return router
}
