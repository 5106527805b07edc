/// <reference lib="dom" />
// Takes the key out of the link, which no server and no history sees, and sends it as the form would.
const field = document.getElementById('code')
const take = (): void => {
  const key = location.hash.slice(1)
  if (!/^\w{26}$/.test(key) || !(field instanceof HTMLInputElement)) return
  history.replaceState(null, '', location.pathname)
  field.value = key
  field.form?.submit()
}
take()
// The link may be opened where the page is open already.
addEventListener('hashchange', take)
