"""Buffers that are used again: by the same thread, and by no other."""

import threading

import numpy as np

from hybridrec.stages.kernels.scratch import multiplied, scratch


def test_a_thread_gets_the_same_memory_again():
    first = scratch(3, 4)
    first[:] = 1
    assert (first.shape, first.dtype, first.flags.c_contiguous) == ((3, 4), np.float32, True)
    assert np.shares_memory(first, scratch(2, 2))
    larger = scratch(100, 1000)  # more than other tests of this thread asked for, or as much: it stays
    assert np.shares_memory(larger, scratch(2))
    assert scratch(0, 5).shape == (0, 5)


def test_threads_do_not_share_memory():
    held = []
    meeting = threading.Barrier(2)

    def hold(value):
        buffer = scratch(50)
        buffer[:] = value
        meeting.wait(10)
        held.append((value, buffer))

    threads = [threading.Thread(target=hold, args=(value,)) for value in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not np.shares_memory(*(buffer for _, buffer in held))
    assert all((buffer == value).all() for value, buffer in held)


def test_products_are_made_in_the_buffer():
    rng = np.random.default_rng(0)
    queries, vectors = rng.random((3, 5), np.float32), rng.random((7, 5), np.float32)
    product = multiplied(queries, vectors)
    np.testing.assert_allclose(product, queries @ vectors.T, rtol=1e-6)
    assert np.shares_memory(product, scratch(3, 7))
    assert multiplied(queries[:0], vectors).shape == (0, 7)
