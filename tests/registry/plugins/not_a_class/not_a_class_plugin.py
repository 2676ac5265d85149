"""Returns something else than classes."""

from hybridrec import hookimpl


@hookimpl
def hybridrec_components():
    return ["nothing"]
