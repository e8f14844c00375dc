export const welcome = {
  title: 'It runs. Send it something.',
  lead: 'No request has been made yet. This sends a small CSV file to the function profile_csv, and shows what becomes of it.',
  button: 'Profile a CSV file',
  working: 'Sending…',
  file: 'penguins.csv, 12 rows',
  missing: 'The example function profile_csv is not among the functions here. Invoke one of your own:',
  failed: 'It was not accepted',
  or: 'Or from a shell',
  next: 'Then',
  steps: [
    ['Write a function', 'A file in the functions folder is there two seconds later.', 'functions'],
    ['Invoke it', 'By HTTP, from the command line, or from its page here.', 'functions'],
    ['Give it a schedule', 'Cron, rates and single times, in any time zone.', 'schedules'],
  ],
} as const
