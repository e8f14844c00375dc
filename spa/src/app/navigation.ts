/** The entries of the main navigation, in order. A new page adds its route to router.ts and a line here. */
import { app } from '@/texts'
import type { IconName } from '@/components/icons'

export interface NavigationItem {
  route: string
  label: string
  icon: IconName
  /** Shown to admins only. */
  admin?: boolean
  /** `g` and this key lead there. */
  key: string
}

export const navigation: NavigationItem[] = [
  { route: 'overview', label: app.nav.overview, icon: 'pulse', key: 'o' },
  { route: 'requests', label: app.nav.requests, icon: 'list', key: 'r' },
  { route: 'functions', label: app.nav.functions, icon: 'function', key: 'f' },
  { route: 'schedules', label: app.nav.schedules, icon: 'clock', key: 's' },
  { route: 'audit', label: app.nav.audit, icon: 'shield', key: 'a', admin: true },
]
