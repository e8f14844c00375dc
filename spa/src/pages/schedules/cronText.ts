/** An expression in words: what somebody typed, told back. '' where there are none; the server judges whether it is valid. */
import { ref, watch, type Ref } from 'vue'
import { schedules } from '@/texts'

const AWS_CRON = /^cron\((.+)\)$/i
const RATE = /^rate\(\s*(\d+)\s+(\w+)\s*\)$/i
const AT = /^at\(\s*(.+?)\s*\)$/i
type ToWords = (expression: string, options: object) => string

export function inWords(expression: string, toWords: ToWords): string {
  const text = expression.trim()
  const rate = RATE.exec(text)
  if (rate) return schedules.every(interval(Number(rate[1]), rate[2] ?? ''))
  const at = AT.exec(text)
  if (at) return schedules.once((at[1] ?? '').replace('T', ' '))
  const aws = AWS_CRON.exec(text)
  try {
    return aws
      ? // AWS counts Sunday as 1, and writes the year last.
        toWords((aws[1] ?? '').replace(/\s+[*?]$/, ''), { dayOfWeekStartIndexZero: false, ...OPTIONS })
      : toWords(text, OPTIONS)
  } catch {
    return '' // the library throws texts for what it cannot read
  }
}

/** AWS takes `1 minute` and `5 minutes` only; the server takes both for either, and both read the same. */
function interval(count: number, unit: string): string {
  const one = unit.toLowerCase().replace(/s$/, '')
  return count === 1 ? one : `${count} ${one}s`
}

const OPTIONS = { use24HourTimeFormat: true, verbose: true, throwExceptionOnParseError: true }

/** The library is loaded when the first expression is to be told. */
export function useCronText(expression: Ref<string>): Ref<string> {
  const words = ref('')
  watch(
    expression,
    async (text) => {
      const { toString } = await import('cronstrue')
      if (text === expression.value) words.value = inWords(text, toString)
    },
    { immediate: true },
  )
  return words
}
