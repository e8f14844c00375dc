/** Which files have a preview. Pure. */
import type { RequestFile } from '@/api/types'

const MAX_IMAGE_BYTES = 10_000_000

export function previewType(file: RequestFile): 'image' | 'csv' | null {
  if (/^image\/(png|jpeg|gif|webp|svg\+xml|avif)$/.test(file.content_type)) {
    return file.size <= MAX_IMAGE_BYTES ? 'image' : null
  }
  // Some browsers and mail programs give CSV files another content type.
  return file.content_type.includes('csv') || /\.(csv|tsv)$/i.test(file.filename) ? 'csv' : null
}
