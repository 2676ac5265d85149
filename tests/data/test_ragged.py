import numpy as np

from hybridrec.data.ragged import Ragged


def test_groups_follow_the_ids_through_every_selection():
    rows, ids = np.array([1, 0, 1, 1], np.int32), np.array([4, 5, 6, 7], np.int32)
    groups = ids * 10  # so that every id shows whether its group came along
    ragged = Ragged.from_columns(rows, ids, (2, 8), groups=groups, positions=np.array([3, 1, 1, 2]))
    assert ragged.ids.tolist() == [5, 6, 7, 4]
    for picked in (ragged, ragged.take(np.array([1, 0, 1])), ragged.where(ragged.ids != 7), ragged.last(1)):
        assert picked.groups is not None
        assert picked.groups.dtype == np.int32
        assert picked.groups.tolist() == (picked.ids * 10).tolist()


def test_no_groups_stay_none():
    assert Ragged.from_rows([[1, 2], [3]], 4).take(np.array([1])).groups is None
