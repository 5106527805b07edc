/// <reference lib="dom" />
// Tries settings without leaving the form: what was typed for a secret stays in it.
const form = document.querySelector('form')
const outcome = document.getElementById('outcome')
form?.addEventListener('submit', (event) => {
  const button = event.submitter
  if (!(button instanceof HTMLButtonElement) || button.value !== 'test' || outcome === null) return
  event.preventDefault()
  button.disabled = true
  const fields = new URLSearchParams()
  for (const [name, value] of new FormData(form, button))
    if (typeof value === 'string') fields.set(name, value)
  fetch(form.action, { method: 'POST', body: fields, headers: { accept: 'application/json' } })
    .then(async (response) => {
      const { html } = (await response.json()) as { html?: string }
      if (html === undefined) location.reload()
      else outcome.innerHTML = html
    })
    .catch(() => form.submit())
    .finally(() => {
      button.disabled = false
    })
})
