"""Components that do not come back are left out for a time that doubles."""

import pytest

from hybridrec_server import left_out
from hybridrec_server.left_out import LeftOut


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(left_out.time, "monotonic", lambda: now[0])
    return now


def test_the_time_doubles_up_to_a_bound_and_starts_anew(clock):
    components = LeftOut(10, 30)
    seconds = []
    for _ in range(4):
        components.blame("als")
        seconds.append(components.now()["als"])
        clock[0] += seconds[-1] + 1
        assert components.now() == {}
    assert seconds == [10, 20, 30, 30]
    clock[0] += 31
    components.blame("als")
    assert components.now() == {"als": 10}


def test_one_that_is_left_out_is_not_blamed_twice(clock):
    components = LeftOut(10, 30)
    components.blame("als")
    clock[0] += 4
    components.blame("als")
    components.blame("ease")
    assert components.now() == {"als": 6, "ease": 10}
    components.clear()
    assert components.now() == {}
