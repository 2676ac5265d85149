"""Parts of users, sorted one after the other, are the histories that all rows at once give."""

import numpy as np
import polars as pl
import pytest

from hybridrec import DataError, Vocabulary
from hybridrec.data import partitions
from hybridrec.data.partitions import histories, outline
from hybridrec.data.ragged import Ragged
from hybridrec.data.transforms import WeightOptions


class Frames:
    """Blocks of rows of frames in memory."""

    def __init__(self, frames):
        self.frames = frames
        self.rows = sum(map(len, frames))

    def __iter__(self):
        return iter(self.frames)


def frames_of(rows, each, rng):
    frame = pl.DataFrame(
        {
            "user": rng.integers(0, 40, rows),
            "item": rng.integers(0, 9, rows),
            "time": rng.integers(0, 20, rows).astype(float),
            "weight": rng.integers(-1, 3, rows).astype(np.float32),
        }
    )
    return frame, Frames([frame.slice(start, each) for start in range(0, rows, each)])


def test_every_user_and_item_is_in_the_outline_and_the_sample_covers_the_whole_table(monkeypatch):
    monkeypatch.setattr(partitions, "_SAMPLED", 50)
    monkeypatch.setattr(partitions, "_PENDING", 10)
    frame, blocks = frames_of(500, 37, np.random.default_rng(0))
    outlined = outline(blocks)
    for name in ("user", "item"):
        assert set(outlined.ids[name]) == set(frame[name])
    assert outlined.ids.null_count().sum_horizontal().item() == 0
    assert outlined.sample.to_list() == frame["user"].gather_every(10).to_list()


def test_no_rows_have_no_outline():
    assert len(outline(Frames([])).ids) == 0


@pytest.mark.parametrize("size", [7, 60, 1000])
def test_parts_hold_about_as_many_rows_as_asked_for_and_make_the_same_histories(monkeypatch, size):
    monkeypatch.setattr(partitions, "PART", size)
    frame, blocks = frames_of(500, 37, np.random.default_rng(1))
    users, items = Vocabulary(frame["user"]), Vocabulary(frame["item"])
    sizes = []
    from_columns = Ragged.from_columns
    with monkeypatch.context() as patched:
        patched.setattr(
            partitions.Ragged,
            "from_columns",
            lambda rows, *given, **columns: sizes.append(len(rows)) or from_columns(rows, *given, **columns),
        )
        interactions, dislikes = histories(outline(blocks), WeightOptions(), users, items)
    assert max(sizes) <= size + 40, "a part is much longer than asked for"
    whole = from_columns(
        users.encode(frame["user"]),
        items.encode(frame["item"]),
        (len(users), len(items)),
        times=frame["time"].to_numpy(),
        weights=frame["weight"].to_numpy(),
    )
    disliked = whole.weights < 0
    for made, wanted in ((interactions, whole.where(~disliked)), (dislikes, whole.where(disliked))):
        assert made.ids.tolist() == wanted.ids.tolist()
        assert made.offsets.tolist() == wanted.offsets.tolist()
        assert made.times.tolist() == wanted.times.tolist()
    assert interactions.weights.tolist() == whole.where(~disliked).weights.tolist()
    assert dislikes.weights is None


def test_ids_that_the_first_reading_did_not_have_are_refused():
    frame, blocks = frames_of(20, 7, np.random.default_rng(2))
    with pytest.raises(DataError, match="changed while they were read"):
        histories(outline(blocks), WeightOptions(), Vocabulary(frame["user"]), Vocabulary(["0"]))
