"""Work on several threads: order, errors, workers that have work for workers, and one thread for each library."""

import threading
import time

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from hybridrec.inference import threads
from hybridrec.inference.threads import (
    ThreadPool,
    Unreturned,
    call_within,
    end_threads,
    one_thread_per_library,
    side_by_side,
)


def test_the_order_is_that_of_the_blocks_whoever_is_first():
    def slow_first(block):
        time.sleep(0.02 if block == 0 else 0)
        return block, threading.get_ident()

    results = list(ThreadPool(2).map(slow_first, range(6)))
    assert [block for block, _ in results] == list(range(6))
    assert threading.get_ident() not in {thread for _, thread in results}


def test_one_worker_is_the_caller():
    assert list(ThreadPool(1).map(lambda _: threading.get_ident(), range(2))) == [threading.get_ident()] * 2


def test_workers_that_have_work_for_workers_do_not_wait_for_each_other():
    def nested(block):
        return list(ThreadPool(2).map(lambda inner: (block, inner), range(3)))

    assert list(ThreadPool(2).map(nested, range(8))) == [[(block, inner) for inner in range(3)] for block in range(8)]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_has_not_begun_is_given_up_after_an_error(workers):
    begun = []

    def work(number):
        begun.append(number)
        if number == 0:
            raise ValueError("the first")
        time.sleep(0.01)

    with pytest.raises(ValueError, match="the first"):
        list(ThreadPool(workers).map(work, range(50)))
    assert len(begun) < 50


def blas_threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_the_limit_of_libraries_lasts_until_the_last_who_holds_it_leaves(monkeypatch):
    """Two that overlap without one inside the other: the second must not lift what the first still needs."""
    # A fit that another test gave up may still run on a thread, and hold the limit of the process.
    monkeypatch.setattr(threads, "_limit", threads._Limit())
    with threadpool_limits(limits=2):
        before = blas_threads()  # of a library that was built for one thread it stays 1
        first, second = one_thread_per_library(), one_thread_per_library()
        first.__enter__()
        second.__enter__()
        assert blas_threads() == {1}
        first.__exit__(None, None, None)
        assert blas_threads() == {1}
        second.__exit__(None, None, None)
        assert blas_threads() == before
        assert 2 in before


def test_a_thread_whose_start_was_interrupted_ends(monkeypatch):
    """As by a Ctrl-C between its start and the note that the executor makes of it."""
    start = threading.Thread.start
    started = []

    def interrupted(thread):
        start(thread)
        started.append(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ThreadPool(13).threads.submit(int)
    monkeypatch.undo()
    end_threads()
    (thread,) = started
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert list(ThreadPool(13).map(abs, [-1, 2])) == [1, 2]


def test_a_call_in_time_gives_its_result_or_its_error():
    assert call_within(10, lambda: 7) == 7
    with pytest.raises(ValueError, match="no"):
        call_within(10, lambda: int("no"))


def test_a_call_on_a_thread_of_a_pool_stays_on_one():
    pool = ThreadPool(2)
    assert list(pool.map(lambda _: call_within(10, lambda: pool.threads), [0, 1])) == [None, None]
    assert call_within(10, lambda: pool.threads) is not None


def test_a_call_that_does_not_return_tells_where_it_is():
    ended = threading.Event()
    with pytest.raises(Unreturned) as info:
        call_within(0.05, ended.wait)
    ended.set()
    assert info.value.frame.f_code.co_name == "wait"


def test_calls_side_by_side_all_run_and_keep_their_order():
    together = threading.Barrier(3, timeout=20)

    def call(number):
        together.wait()
        return number

    assert list(side_by_side([lambda number=number: call(number) for number in range(3)])) == [0, 1, 2]
    assert list(side_by_side([threading.get_ident])) == [threading.get_ident()]
    assert list(side_by_side([])) == []


def test_the_first_error_side_by_side_waits_for_nobody():
    ended = threading.Event()

    def fail():
        raise ValueError("the first")

    with pytest.raises(ValueError, match="the first"):
        list(side_by_side([fail, lambda: ended.wait(20)]))
    assert not ended.is_set()
    ended.set()
