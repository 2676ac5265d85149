"""The oldest and the newest numpy give the same slates: `pytest -m release`, a minute or two."""

import pytest

from tests.torture import numpy_versions

pytestmark = pytest.mark.release


def test_slates_are_the_same_under_the_oldest_and_the_newest_numpy(tmp_path):
    old, new = numpy_versions.runs(tmp_path)
    assert numpy_versions.version(old) == numpy_versions.oldest() != numpy_versions.version(new)
    differences = numpy_versions.differences(old, new)
    assert {"ease", "word2vec", "lightfm", "wide"} <= {each.component for each in differences}
    assert [each for each in differences if each.places or each.score > 1e-6] == []
