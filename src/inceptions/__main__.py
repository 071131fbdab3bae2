"""`python -m inceptions` is the command."""

from inceptions.cli import main

main()
