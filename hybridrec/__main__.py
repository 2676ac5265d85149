"""`python -m hybridrec`: the command line where its script is not on the path."""

from hybridrec.cli import main

main()
