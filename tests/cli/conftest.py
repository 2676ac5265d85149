"""A run to look at."""

import pytest

import hybridrec


@pytest.fixture
def finished(experiment):
    """A run that can serve."""
    return hybridrec.run(experiment(("workers: 2", "refit: all"))).folder
