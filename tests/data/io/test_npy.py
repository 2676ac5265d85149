"""Arrays larger than a block: read in any type, refused where broken."""

from contextlib import suppress

import numpy as np
import pytest

from hybridrec import NpyRows, map_npy
from hybridrec.errors import DataError
from tests.data.builders import spectrograms


def test_blocks_are_the_rows_in_order_as_float32(save_npy):
    for dtype in (np.float16, np.float32, np.float64, np.uint8, ">f4"):
        array = spectrograms().clip(0, 255).astype(dtype)
        rows = NpyRows.of(save_npy(array))
        parts, blocks = zip(*rows.blocks(), strict=True)
        assert len(parts) > 3
        assert [taken.start for taken in parts[1:]] == [taken.stop for taken in parts[:-1]]
        whole = np.concatenate(blocks)
        assert whole.dtype == np.float32
        np.testing.assert_array_equal(whole, array.reshape(200, 30).astype(np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_numbers_that_are_not_finite_are_named_by_their_row(save_npy, bad):
    array = spectrograms()
    array[171, 2, 2] = bad
    with pytest.raises(DataError, match=r"x\.npy, row 172: not all numbers are finite"):
        list(NpyRows.of(save_npy(array)).blocks())


@pytest.mark.parametrize(
    "array", [np.ones(3), np.ones((3, 2), complex), np.asfortranarray(np.ones((3, 2))), np.array([["a"]])]
)
def test_what_has_no_rows_of_real_numbers_is_refused(save_npy, array):
    with pytest.raises(DataError, match="right is a row of real numbers"):
        NpyRows.of(save_npy(array))


def test_objects_are_not_unpickled(save_npy):
    with pytest.raises(DataError, match=r"cannot be read as \.npy"):
        NpyRows.of(save_npy(np.array([[{}]], object), allow_pickle=True))


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"gone\.npy cannot be read"):
        NpyRows.of(tmp_path / "gone.npy")


def test_headers_that_are_cut_or_never_closed_are_refused(save_npy):
    path = save_npy(spectrograms())
    content = path.read_bytes()
    for damaged in (content[:8], content[:60], content.replace(b"(200,", b"((00,")):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"x\.npy cannot be read as \.npy"):
            NpyRows.of(path)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (4, 0), (4, 3), (2, 3, 4)])
@pytest.mark.parametrize("dtype", ["<f8", ">i2", "|u1", "<U3", "?", "<c8"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_an_array_is_mapped_as_numpy_does(tmp_path, order, shape, dtype, version):
    array = np.asarray(np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype), order=order)
    path = tmp_path / "x.npy"
    with path.open("wb") as file:
        np.lib.format.write_array(file, array, version=version)
    mapped, loaded = map_npy(path), np.load(path, mmap_mode="r")
    np.testing.assert_array_equal(mapped, loaded)
    assert (mapped.dtype, mapped.strides, mapped.offset) == (loaded.dtype, loaded.strides, loaded.offset)
    assert not mapped.flags.writeable


def test_an_array_of_python_2_is_read_without_a_warning(save_npy):
    path = save_npy(spectrograms())
    old = path.read_bytes().replace(b"(200, 6, 5), }  ", b"(200L, 6L, 5), }")
    path.write_bytes(old)
    assert b"200L" in old
    np.testing.assert_array_equal(map_npy(path), spectrograms())  # warnings are errors


def test_no_damage_to_a_header_ends_in_a_warning_or_another_error(save_npy):
    path = save_npy(spectrograms())
    content = path.read_bytes()
    rng = np.random.default_rng(4)
    read = 0
    for place in range(128):
        for byte in (*rng.integers(0, 256, 3).tolist(), *b"L\\9(0"):
            path.write_bytes(content[:place] + bytes([byte]) + content[place + 1 :])
            with suppress(DataError):
                NpyRows.of(path)
                read += 1
    assert 100 < read < 600


def test_a_long_header_is_refused_and_not_taken_for_numbers(tmp_path):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }".ljust(20_000)
    path = tmp_path / "x.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(24))
    with pytest.raises(DataError, match="its header has 20,000 bytes; right are at most 10,000"):
        map_npy(path)


def test_a_type_that_numpy_warns_of_is_refused_without_a_warning(save_npy):
    path = save_npy(spectrograms())
    path.write_bytes(path.read_bytes().replace(b"'<f4'", b"'|a4'").replace(b"'<f8'", b"'|a8'"))
    with pytest.raises(DataError, match="`descr` is missing in its header, or is of an unknown form"):
        map_npy(path)
