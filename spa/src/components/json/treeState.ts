/** What all nodes of one tree share. */
import { inject, provide, type ComputedRef, type InjectionKey, type Ref } from 'vue'
import type { Found } from './searchTree'

export interface Tree {
  /** What a person folded or unfolded; fetchAllMatching else follows its depth. */
  chosen: Ref<Map<string, boolean>>
  found: ComputedRef<Found>
  openDepth: Ref<number>
}

const KEY: InjectionKey<Tree> = Symbol('json tree')

export const provideTree = (tree: Tree) => provide(KEY, tree)

export function useTree(): Tree {
  const tree = inject(KEY)
  if (!tree) throw new Error('A JsonNode stands outside a JsonTree.')
  return tree
}
