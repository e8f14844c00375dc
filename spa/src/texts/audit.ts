export const audit = {
  title: 'Audit',
  lead: 'Who changed what.',
  actor: 'Who',
  action: 'What',
  anyAction: 'Everything',
  columns: { time: 'When', actor: 'Who', action: 'What', subject: 'On', details: 'Details' },
  empty: 'Nothing was changed by anybody yet. Retries, cancels, deletes, pauses and logins are noted here.',
  filtered: 'No entry fits.',
  forbidden: 'Your role may not read the audit.',
} as const
