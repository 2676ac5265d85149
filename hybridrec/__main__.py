"""`python -m hybridrec`: the command line, for environments whose scripts are not on the path."""

from hybridrec.cli import main

main()
