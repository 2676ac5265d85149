"""A config that is refused."""

from pathlib import Path

import pytest

import hybridrec
from hybridrec import HybridrecError


@pytest.fixture
def refused(experiment):
    """The message about a config with pieces of its text replaced, from the line on; nothing was fitted for it."""

    def message(*replacements, assignments=()):
        path = experiment(*replacements)
        with pytest.raises(HybridrecError) as info:
            hybridrec.run(path, assignments, store="store")
        assert info.value.exit_status == 2
        assert not Path("store").exists()
        assert not Path("runs").exists()
        return str(info.value).replace(f"{path}:", "")

    return message
