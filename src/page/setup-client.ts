/// <reference lib="dom" />
// Takes the key out of the link, which no server and no history sees, and sends it as the form would.
const key = location.hash.slice(1)
const field = document.getElementById('code')
if (/^\w{26}$/.test(key) && field instanceof HTMLInputElement) {
  history.replaceState(null, '', location.pathname)
  field.value = key
  field.form?.submit()
}
