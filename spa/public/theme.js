// A person's choice of theme, kept from the last visit; without one the system's holds.
{
  let chosen = null
  try {
    chosen = localStorage.getItem('localfn.theme')
  } catch {
    // Storage is switched off: nothing was chosen.
  }
  if (chosen === 'dark' || chosen === 'light') document.documentElement.dataset.theme = chosen
}
