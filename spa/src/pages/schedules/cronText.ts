/** Describe a schedule expression in words; '' for an unreadable one. Only the server decides whether it is valid. */
import { ref, watch, type Ref } from 'vue'
import { schedules } from '@/texts'

const AWS_CRON = /^cron\((.+)\)$/i
const RATE = /^rate\(\s*(\d+)\s+(\w+)\s*\)$/i
const AT = /^at\(\s*(.+?)\s*\)$/i
type CronToText = (expression: string, options: object) => string

export function describeExpression(expression: string, cronToText: CronToText): string {
  const text = expression.trim()
  const rate = RATE.exec(text)
  if (rate) return schedules.every(interval(Number(rate[1]), rate[2] ?? ''))
  const at = AT.exec(text)
  if (at) return schedules.once((at[1] ?? '').replace('T', ' '))
  const aws = AWS_CRON.exec(text)
  try {
    return aws
      ? // AWS counts Sunday as 1, and the year is the last field.
        cronToText((aws[1] ?? '').replace(/\s+[*?]$/, ''), { dayOfWeekStartIndexZero: false, ...OPTIONS })
      : cronToText(text, OPTIONS)
  } catch {
    return '' // cronstrue throws for expressions that it cannot read
  }
}

/** The server accepts `1 minutes` and `5 minute`, too: use the right plural. */
function interval(count: number, unit: string): string {
  const singular = unit.toLowerCase().replace(/s$/, '')
  return count === 1 ? singular : `${count} ${singular}s`
}

const OPTIONS = { use24HourTimeFormat: true, verbose: true, throwExceptionOnParseError: true }

/** Return the description of an expression. It loads cronstrue on first use. */
export function useCronText(expression: Ref<string>): Ref<string> {
  const description = ref('')
  watch(
    expression,
    async (text) => {
      const { toString } = await import('cronstrue')
      if (text === expression.value) description.value = describeExpression(text, toString)
    },
    { immediate: true },
  )
  return description
}
