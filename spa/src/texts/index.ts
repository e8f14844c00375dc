/** Every English text of the pages stands in this folder: a file for the shell and one for each page. */
export { app } from './app'
export { audit } from './audit'
export { components } from './components'
export { functions } from './functions'
export { login } from './login'
export { overview } from './overview'
export { request } from './request'
export { requests } from './requests'
export { schedules } from './schedules'
export { welcome } from './welcome'

/** 1 request, 2 requests: `count(n, 'request')`. */
export function count(number: number, word: string, plural = `${word}s`): string {
  return `${number.toLocaleString('en')} ${number === 1 ? word : plural}`
}
