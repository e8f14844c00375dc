"""`python -m infra.cli`: how `up` starts its children, with the interpreter that runs it."""

from infra.cli.main import main

main()
