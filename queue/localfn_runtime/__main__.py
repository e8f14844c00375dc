"""Run the command line: `python -m localfn_runtime`."""

from localfn_runtime import main

main()
