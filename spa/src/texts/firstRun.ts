export const firstRun = {
  title: 'Make your first request',
  lead: 'Send a small CSV file to the example function profile_csv and watch the request run.',
  own: (name: string) => `Invoke one of your functions, for example ${name}.`,
  invoke: (name: string) => `Invoke ${name}`,
  none: {
    title: 'Write your first function',
    lead: 'No function was found. Create one, with a test and settings, in the folder where localfn runs:',
    command: 'localfn new',
    byHand: 'Or save this as functions/hello.py:',
    code: "from localfn import function\n\n\n@function\ndef hello(event, context):\n    return {'hello': event.get('name', 'world')}",
    waiting: 'The function appears here within two seconds, without a restart.',
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
