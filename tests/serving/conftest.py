"""A run that recommends."""

import pytest

import hybridrec


@pytest.fixture
def recommender(experiment):
    run = hybridrec.run(experiment(("workers: 2", "refit: all")))
    return hybridrec.load(run.folder)
