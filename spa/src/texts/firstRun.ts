export const firstRun = {
  title: 'Make your first request',
  lead: 'Send a small CSV file to the example function profile_csv and watch the request run.',
  own: (name: string) => `Invoke one of your functions, for example ${name}.`,
  invoke: (name: string) => `Invoke ${name}`,
  none: {
    lead: 'No functions found. Add one to a file in a folder of LOCALFN_FUNCTIONS, for example:',
    code: "from localfn import function\n\n@function\ndef hello(event, context):\n    return {'hello': event.get('name', 'world')}",
    functions: 'Show functions',
  },
  button: 'Profile a CSV file',
  working: 'Sending…',
  file: 'penguins.csv, 12 rows',
  shell: 'Or use the command line',
  steps: [
    ['Write a function', 'Save it in the functions folder. It is available within two seconds.', 'functions'],
    ['Invoke it', 'Use HTTP, the command line, or its page here.', 'functions'],
    ['Create a schedule', 'Use cron, a rate or a single time, in any time zone.', 'schedules'],
  ],
} as const
