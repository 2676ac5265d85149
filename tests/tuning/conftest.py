"""An experiment to be tuned."""

import pytest


@pytest.fixture
def tunable(experiment):
    """Writes the small experiment with a section `tune`, in one line: its path."""

    def write(section=None, *replacements):
        if section is None:
            from tests.tuning.searches import WEIGHTS  # needs Optuna, as whoever asks for a search does

            section = WEIGHTS
        return experiment(("workers: 2", f"workers: 2\ntune: {section}"), *replacements)

    return write
