/** 1 request, 2 requests, 1,000 requests: `count(n, 'request')`. */
export function count(number: number, word: string, plural = `${word}s`): string {
  return `${number.toLocaleString('en')} ${number === 1 ? word : plural}`
}
