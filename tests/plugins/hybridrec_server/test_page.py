"""The shared page has the name that was written last, also for another process."""

import mmap
import os
import subprocess
import sys

from hybridrec_server.page import Page
from hybridrec_server.pool import _shared_page


def test_the_last_name_is_read_by_whoever_maps_the_page():
    descriptor = _shared_page()
    page = Page(mmap.mmap(descriptor, mmap.PAGESIZE))
    assert page.name() == ""
    page.note("als")
    page.note("é" * 200)
    assert page.name().startswith("é" * 120)
    page.note("")
    assert page.name() == ""
    code = (
        "import mmap, sys; from hybridrec_server.page import Page;"
        f"Page(mmap.mmap({descriptor}, mmap.PAGESIZE)).note('re-ranker x')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, pass_fds=(descriptor,))
    assert page.name() == "re-ranker x"
    os.close(descriptor)
