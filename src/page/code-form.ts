import { escape, withCode } from './render.ts'
import { words } from './words.ts'

type CodeForm = {
  /** The path that it goes to. */
  readonly action: string
  readonly button: string
  readonly label?: string
  /** Why it was refused; '' where it was not. */
  readonly problem: string
}

/** Why a form was refused, and what its fields then have. */
export const renderProblem = (problem: string): { readonly alert: string; readonly marks: string } =>
  problem === ''
    ? { alert: '', marks: '' }
    : {
        alert: `<p class="problem" role="alert" id="why">${withCode(problem)}</p>`,
        marks: ' aria-describedby="why" aria-invalid="true"',
      }

/** A form that asks for the setup code alone. */
export const renderCodeForm = ({ action, button, label = words.code, problem }: CodeForm): string => {
  const { alert, marks } = renderProblem(problem)
  return (
    `${alert}<form method="post" action="${escape(action)}"><label for="code">${label}</label>` +
    '<div class="row"><input id="code" name="code" type="text" required maxlength="200" autofocus ' +
    `autocomplete="off" autocapitalize="off" spellcheck="false"${marks}>` +
    `<button>${button}</button></div></form>`
  )
}
