/** The entries of the main navigation, in order. Add a route to router.ts and an entry here for a new page. */
import { app } from '@/texts'
import type { Permission } from '@/api/session'
import type { IconName } from '@/components/icons'

export interface NavigationItem {
  route: string
  label: string
  icon: IconName
  /** Users without this permission do not see the entry. */
  permission: Permission
  /** `g` and this key open the page. */
  key: string
  /** Further routes that mark this entry as current. */
  alsoActiveOn?: string[]
}

export const navigation: NavigationItem[] = [
  { route: 'overview', label: app.nav.overview, icon: 'pulse', key: 'o', permission: 'read' },
  {
    route: 'requests',
    label: app.nav.requests,
    icon: 'list',
    key: 'r',
    permission: 'read',
    alsoActiveOn: ['request'],
  },
  {
    route: 'functions',
    label: app.nav.functions,
    icon: 'function',
    key: 'f',
    permission: 'read',
    alsoActiveOn: ['function'],
  },
  {
    route: 'schedules',
    label: app.nav.schedules,
    icon: 'clock',
    key: 's',
    permission: 'read',
    alsoActiveOn: ['schedule'],
  },
  {
    route: 'audit',
    label: app.nav.admin,
    icon: 'shield',
    key: 'a',
    permission: 'administer',
    alsoActiveOn: ['users', 'keys'],
  },
]
