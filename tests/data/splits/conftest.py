"""Fixtures that the tests of splits share."""

from __future__ import annotations

import pytest

from tests.data.builders import random_dataset


@pytest.fixture(params=range(3))
def data(request):
    return random_dataset(request.param)
