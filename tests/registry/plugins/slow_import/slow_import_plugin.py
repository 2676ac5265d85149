"""Does at import what it should do when it is needed."""

import time

from hybridrec import hookimpl

time.sleep(0.05)


@hookimpl
def hybridrec_components():
    return []
