/** The state that all nodes of one tree share. */
import { inject, provide, type ComputedRef, type InjectionKey, type Ref } from 'vue'
import type { Found } from './searchTree'

export interface Tree {
  /** Nodes that the user expanded or collapsed; the others follow openDepth. */
  toggled: Ref<Map<string, boolean>>
  found: ComputedRef<Found>
  openDepth: Ref<number>
}

const KEY: InjectionKey<Tree> = Symbol('json tree')

export const provideTree = (tree: Tree) => provide(KEY, tree)

export function useTree(): Tree {
  const tree = inject(KEY)
  if (!tree) throw new Error('JsonNode must be used inside JsonTree.')
  return tree
}
