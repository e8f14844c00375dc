import { mount } from '@vue/test-utils'
import { beforeEach, expect, test, vi } from 'vitest'
import { nextTick } from 'vue'
import LineChart, { type Line } from '@/components/chart/LineChart.vue'

/** uPlot needs a canvas, which happy-dom lacks: this one records the number of series it is given. */
const plots = vi.hoisted(() => [] as { series: number; given: number[] }[])
vi.mock('uplot', () => ({
  default: class {
    private readonly self: { series: number; given: number[] }
    constructor(options: { series: unknown[] }, data: unknown[]) {
      this.self = { series: options.series.length, given: [data.length] }
      plots.push(this.self)
    }
    setData(data: unknown[]) {
      this.self.given.push(data.length)
    }
    setSize() {}
    destroy() {}
  },
}))

const times = ['2026-01-01T00:00:00Z', '2026-01-01T00:01:00Z']
const line = (label: string, values: number[] = [1, 2]): Line => ({ label, values, colour: '--ink' })

beforeEach(() => {
  plots.length = 0
})

test('a plot only gets data for the lines it was created with', async () => {
  const chart = mount(LineChart, {
    props: { label: 'failures', times, lines: [line('a'), line('b')], format: String },
  })
  for (const lines of [[line('a')], [line('a', [3, 4])], [line('a'), line('b'), line('c')], []]) {
    await chart.setProps({ lines })
    await nextTick()
  }

  expect(plots.length).toBe(4)
  for (const plot of plots) expect(new Set(plot.given)).toEqual(new Set([plot.series]))
})
