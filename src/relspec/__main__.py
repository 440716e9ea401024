"""`python -m relspec`."""

from relspec.cli import main

main()
