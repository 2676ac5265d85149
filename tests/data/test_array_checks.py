"""The message about a plugin that does not return an array names its class, its type and its shape."""

import numpy as np
import pytest

from hybridrec import PluginError
from hybridrec.data.array_checks import check_array


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1, 2], "scores must be a numpy array, not list"),
        (None, "scores must be a numpy array, not NoneType"),
        (np.zeros((2, 3)), "scores must be float32, not float64"),
        (np.zeros((2, 3), ">f4"), "scores must be float32, not >f4"),
        (np.zeros(6, np.float32), "scores must have the shape [2, 3], not [6]"),
        (np.zeros((3, 2), np.float32), "scores must have the shape [2, 3], not [3, 2]"),
    ],
)
def test_anything_else_is_refused(given, message):
    with pytest.raises(PluginError) as refused:
        check_array("scores", given, np.float32, (2, 3))
    assert str(refused.value) == message


def test_an_array_of_the_type_and_shape_passes_in_any_layout():
    check_array("scores", np.zeros((4, 6), np.float32)[::2, ::2], np.float32, (2, 3))
    check_array("flags", np.zeros((0, 3), bool), np.bool_, (0, 3))
