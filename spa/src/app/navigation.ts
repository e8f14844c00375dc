/** The entries of the main navigation, in order. A new page adds its route to router.ts and a line here. */
import { app } from '@/texts'
import type { Permission } from '@/api/session'
import type { IconName } from '@/components/icons'

export interface NavigationItem {
  route: string
  label: string
  icon: IconName
  /** Who may not is not led there. */
  needs: Permission
  /** `g` and this key lead there. */
  key: string
  /** Routes that belong to this entry, too. */
  with?: string[]
}

export const navigation: NavigationItem[] = [
  { route: 'overview', label: app.nav.overview, icon: 'pulse', key: 'o', needs: 'read' },
  { route: 'requests', label: app.nav.requests, icon: 'list', key: 'r', needs: 'read' },
  { route: 'functions', label: app.nav.functions, icon: 'function', key: 'f', needs: 'read' },
  { route: 'schedules', label: app.nav.schedules, icon: 'clock', key: 's', needs: 'read' },
  {
    route: 'audit',
    label: app.nav.admin,
    icon: 'shield',
    key: 'a',
    needs: 'administer',
    with: ['users', 'keys'],
  },
]
