export const welcome = {
  title: 'No request has been made yet',
  lead: 'This sends a small CSV file to the function profile_csv, and shows what becomes of it.',
  own: (name: string) => `Invoke one of your functions, ${name} for example.`,
  invoke: (name: string) => `Invoke ${name}`,
  none: {
    lead: 'No function was found. Write one into a file of a folder that LOCALFN_FUNCTIONS names, for example:',
    code: "from localfn import function\n\n@function\ndef hello(event, context):\n    return {'hello': event.get('name', 'world')}",
    broken: 'See what was found',
  },
  button: 'Profile a CSV file',
  working: 'Sending…',
  file: 'penguins.csv, 12 rows',
  failed: 'It was not accepted',
  or: 'Or from a shell',
  next: 'Then',
  steps: [
    ['Write a function', 'A file in the functions folder is there two seconds later.', 'functions'],
    ['Invoke it', 'By HTTP, from the command line, or from its page here.', 'functions'],
    ['Give it a schedule', 'Cron, rates and single times, in any time zone.', 'schedules'],
  ],
} as const
