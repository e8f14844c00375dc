"""Start the command line as `python -m infra.cli`: `up` starts its children with its own interpreter."""

from infra.cli.main import main

main()
