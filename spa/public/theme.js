// Apply the theme stored by an earlier visit. Without a stored choice, the system's theme applies.
{
  let stored = null
  try {
    stored = localStorage.getItem('localfn.theme')
  } catch {
    // Storage is disabled: use the system's theme.
  }
  if (stored === 'dark' || stored === 'light') document.documentElement.dataset.theme = stored
}
