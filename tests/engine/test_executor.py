"""Work on several threads: order, errors, and workers that have work for workers."""

import threading
import time

import pytest

from hybridrec.engine.executor import as_they_end, side_by_side


def test_the_order_is_that_of_the_parts_whoever_is_first():
    def slow_first(part):
        time.sleep(0.02 if part == 0 else 0)
        return part, threading.get_ident()

    found = side_by_side(slow_first, range(6), 2)
    assert [part for part, _ in found] == list(range(6))
    assert threading.get_ident() not in {thread for _, thread in found}


def test_one_worker_or_one_task_is_the_caller():
    assert side_by_side(lambda _: threading.get_ident(), range(2), 1) == [threading.get_ident()] * 2
    assert list(as_they_end([threading.get_ident], 2)) == [threading.get_ident()]


def test_workers_that_have_work_for_workers_do_not_wait_for_each_other():
    def nested(part):
        return side_by_side(lambda inner: (part, inner), range(3), 2)

    assert side_by_side(nested, range(8), 2) == [[(part, inner) for inner in range(3)] for part in range(8)]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_has_not_begun_is_given_up_after_an_error(workers):
    begun = []

    def task(number):
        begun.append(number)
        if number == 0:
            raise ValueError("the first")
        time.sleep(0.01)

    with pytest.raises(ValueError, match="the first"):
        list(as_they_end([lambda number=number: task(number) for number in range(50)], workers))
    assert len(begun) < 50
    assert sorted(as_they_end([lambda: 1, lambda: 2], workers)) == [1, 2]
