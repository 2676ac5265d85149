"""The store: whole artifacts or none, whatever is killed, damaged, or done twice at once."""

import errno
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from hybridrec import StoreError, WriteError
from hybridrec.data.fingerprint import json_digest
from hybridrec.engine import store as store_module
from hybridrec.engine.store import DAMAGED, Store, this_process
from hybridrec.paths import partial_path

KEY = "ab12" * 8
AA, BB, CC = (two * 16 for two in ("aa", "bb", "cc"))
STATE = {
    "scores": np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2],
    "names": np.array(["a", "größe", "곡"]),
    "size": np.array(7),
    "none": np.empty((0, 3), np.int32),
}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def same(left, right):
    return left.keys() == right.keys() and all(
        np.array_equal(left[name], right[name]) and left[name].dtype == right[name].dtype for name in left
    )


def test_what_is_put_is_got_back(store):
    assert store.get(KEY) is None
    assert KEY not in store
    store.put(KEY, STATE, {"component": "als"})
    assert KEY in store
    assert same(store.get(KEY), STATE)
    assert list(store.get(KEY)) == list(STATE) != sorted(STATE)
    (artifact,) = store.artifacts()
    assert (artifact.key, artifact.about) == (KEY, {"component": "als", "by": this_process()})
    assert artifact.bytes == artifact.path.stat().st_size


def test_the_first_line_of_an_artifact_says_what_follows(store):
    store.put(KEY, STATE, {"label": "größe"})
    line, rest = store.artifacts()[0].path.read_bytes().split(b"\n", 1)
    content = json.loads(line)["content"]
    assert (content["key"], content["about"]["label"]) == (KEY, "größe")
    assert (len(line) + 1) % 64 == 0
    size = content["arrays"]["size"]
    assert np.frombuffer(rest, size["dtype"], 1, size["start"]).tolist() == [7]
    assert size["start"] % 64 == 0


def test_a_transposed_array_stays_transposed(store):
    store.put(KEY, {"columns": np.arange(6).reshape(2, 3).T})
    columns = store.get(KEY)["columns"]
    assert columns.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert columns.flags.f_contiguous


def test_arrays_can_be_written_to_and_the_artifact_stays(store):
    store.put(KEY, STATE)
    store.get(KEY)["scores"][:] = 0
    assert same(store.get(KEY), STATE)


def test_a_large_array_is_mapped_and_stays_as_it_was_stored(store):
    store.put(KEY, {"large": np.ones((1000, 1000), np.float32)})
    state = store.get(KEY)
    assert type(state["large"]) is np.ndarray
    state["large"][0] = 5
    assert (store.get(KEY)["large"] == 1).all()


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux says what memory is a process's own")
def test_a_large_array_takes_no_memory_of_its_own(store):
    def own():
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
        return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))

    store.put(KEY, {"large": np.ones((4000, 1000), np.float32)})
    before = own()
    large = store.get(KEY)["large"]
    assert large.sum() == large.size
    assert own() - before < large.nbytes / 4


def test_a_state_without_arrays_is_a_state(store):
    store.put(KEY, {})
    assert store.find(KEY) == {}


def test_the_first_writer_of_a_key_wins(store):
    store.put(KEY, STATE, {"took": 1})
    assert not store.doubled
    store.put(KEY, STATE, {"took": 2})
    assert store.doubled == {KEY}
    assert store.about(KEY)["took"] == 1


@pytest.mark.parametrize("other", [{"other": np.zeros(1)}, STATE | {"size": np.array(8)}], ids=["names", "values"])
def test_other_arrays_under_the_same_key_are_an_error_that_names_both_makers(store, monkeypatch, other):
    monkeypatch.setattr("hybridrec.engine.store.this_process", lambda: "machine a, process 1")
    store.put(KEY, STATE)
    monkeypatch.setattr("hybridrec.engine.store.this_process", lambda: "machine b, process 2")
    with pytest.raises(StoreError, match=r"machine a, process 1 stored other arrays .* than machine b, process 2 made"):
        store.put(KEY, other, {"component": "als"})
    assert same(store.get(KEY), STATE)
    assert list((store.folder / "ab").iterdir()) == [store.artifacts()[0].path]


def test_a_damaged_artifact_gives_way(store):
    store.put(KEY, STATE)
    store.artifacts()[0].path.write_bytes(b"damaged")
    store.put(KEY, STATE)
    assert same(store.get(KEY), STATE)


def test_any_flipped_byte_is_noticed_and_the_artifact_made_anew(store):
    store.put(KEY, STATE, {"component": "als"})
    path = store.artifacts()[0].path
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 0x11
        path.write_bytes(damaged)
        with suppress(StoreError):
            assert same(store.get(KEY), STATE)  # white space between the keys of the manifest
    for length in (len(whole) - 1, whole.index(b"\n"), 100, 0):
        path.write_bytes(whole[:length])
        with pytest.raises(StoreError):
            store.get(KEY)
    assert store.about(KEY) is None
    assert [artifact.about for artifact in store.artifacts()] == [DAMAGED]
    assert store.find(KEY) is None
    assert KEY not in store
    store.put(KEY, STATE)
    assert same(store.find(KEY), STATE)


def test_another_format_is_refused(store):
    store.put(KEY, STATE)
    path = store.artifacts()[0].path
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 9'))
    with pytest.raises(StoreError, match="written in format 9, this version reads 1"):
        store.get(KEY)


def test_objects_are_refused_and_nothing_is_left_behind(store):
    with pytest.raises(StoreError, match="'bad' is an array of Python objects"):
        store.put(KEY, {"good": np.zeros(3), "bad": np.array([{}])})
    assert store.get(KEY) is None
    assert list((store.folder / "ab").iterdir()) == []


def test_records_are_refused(store):
    with pytest.raises(StoreError, match="'bad' is an array of Python objects or records"):
        store.put(KEY, {"bad": np.zeros(3, [("id", "i4"), ("score", "f4")])})


def test_arrays_of_another_byte_order_are_written_little_endian(store):
    numbers, texts = np.array([[1.5, 2.5], [3.5, 4.5]], ">f8").T, np.array(["größe", "곡"]).astype(">U5")
    store.put(KEY, {"numbers": numbers, "texts": texts})
    line = store.artifacts()[0].path.read_bytes().split(b"\n", 1)[0]
    arrays = json.loads(line)["content"]["arrays"]
    assert {name: entry["dtype"] for name, entry in arrays.items()} == {"numbers": "<f8", "texts": "<U5"}
    state = store.get(KEY)
    assert state["numbers"].tolist() == [[1.5, 3.5], [2.5, 4.5]]
    assert state["texts"].tolist() == ["größe", "곡"]


@pytest.fixture
def folder(store):
    """A folder where an artifact should be, with something in it."""
    path = store.folder / "ab" / KEY
    path.mkdir(parents=True)
    (path / "manifest.json").write_text("{}")
    return path


def test_a_folder_is_not_an_artifact(store, folder):
    assert KEY not in store
    assert store.about(KEY) is None
    store.put(CC, STATE)
    assert [artifact.key for artifact in store.artifacts()] == [CC]
    assert [artifact.key for artifact in store.collect(0, float("inf"))] == [CC]
    assert folder.is_dir()
    with pytest.raises(StoreError, match=rf"{KEY}: cannot be read"):
        store.get(KEY)
    assert store.find(KEY) is None
    assert not folder.exists()


def test_a_folder_makes_room_for_the_artifact_of_its_name(store, folder):
    store.put(KEY, STATE)
    assert same(store.get(KEY), STATE)
    assert [path.name for path in folder.parent.iterdir()] == [KEY]


def test_bytes_are_never_taken_for_objects(store, monkeypatch):
    monkeypatch.setattr("hybridrec.inference.array_file.json_digest", lambda content: "")
    store.put(KEY, {"a": np.zeros(3)})
    path = store.artifacts()[0].path
    path.write_bytes(path.read_bytes().replace(b'"<f8"', b'"|O" '))
    with pytest.raises(StoreError, match="damaged"):
        store.get(KEY)


def test_collecting_by_size_takes_what_was_not_used_for_longest(store):
    for key in (AA, BB, CC):
        store.put(key, {"a": np.zeros(1000)})
    now = time.time()
    for key, age in ((AA, 30), (BB, 20), (CC, 10)):
        os.utime(store.folder / key[:2] / key, (now - age, now - age))
    assert store.get(AA) is not None  # used just now
    size = store.artifacts()[0].bytes
    removed = store.collect(keep_bytes=2 * size, older_than=float("inf"))
    assert [artifact.key for artifact in removed] == [BB]
    assert [artifact.key for artifact in store.artifacts()] == [CC, AA]


def test_collecting_by_age_and_the_leftovers_of_the_killed(store):
    store.put(AA, STATE)
    store.put(BB, STATE)
    now = time.time()
    os.utime(store.folder / "aa" / AA, (now - 900, now - 900))
    dead, busy = f".{AA}.00000000-1.00000dea", partial_path(Path(AA)).name
    for name in (dead, busy, ".git"):
        (store.folder / "aa" / name).mkdir()
        os.utime(store.folder / "aa" / name, (now - 90_000, now - 90_000))
    assert [artifact.key for artifact in store.collect(2**63, older_than=600)] == [AA]
    assert {path.name for path in (store.folder / "aa").iterdir()} == {busy, ".git"}
    assert BB in store
    assert [artifact.key for artifact in store.collect(0, float("inf"))] == [BB]


def test_an_empty_store_has_nothing_and_is_not_made_by_looking(store):
    assert store.artifacts() == []
    assert store.collect(0, 0) == []
    store.drop(KEY)
    assert not store.folder.exists()


def test_a_removal_killed_half_way_leaves_room_for_a_new_artifact(store, monkeypatch):
    def killed(path):
        raise KeyboardInterrupt

    store.put(KEY, STATE)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            store.drop(KEY)
    assert store.find(KEY) is None
    store.put(KEY, STATE)
    assert same(store.get(KEY), STATE)


@pytest.mark.parametrize("first", [True, False])
def test_a_file_system_without_hard_links_is_enough(store, monkeypatch, first):
    def none(path, target):
        if first:
            target.rename(path)
        raise PermissionError(errno.EPERM, "no links")

    monkeypatch.setattr(Path, "hardlink_to", none)
    store.put(KEY, STATE)
    assert (KEY in store.doubled) == first
    assert same(store.get(KEY), STATE)
    assert not list(store.folder.glob("??/.*"))


def test_a_file_that_gets_no_name_is_told_and_nothing_is_left_behind(store, monkeypatch):
    def refuse(path, target):
        raise PermissionError(errno.EPERM, "no names")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(WriteError, match="store cannot be written: no names; what was stored before is kept"):
        store.put(KEY, STATE)
    assert KEY not in store
    assert not list(store.folder.glob("??/.*"))


WRITER = """
import sys, numpy as np
from pathlib import Path
from hybridrec.data.fingerprint import json_digest
from hybridrec.engine import store as store_module
from hybridrec.engine.store import DAMAGED, Store
from hybridrec.paths import partial_path
store, rounds = Store(Path(sys.argv[1])), int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for key in range(rounds):
    store.put(f"{key % 40:02}" * 16, {"a": np.full(20_000, key % 40), "b": np.arange(50)})
    if key % 3 == 0 and rounds < 1000:
        store.drop(f"{key % 40:02}" * 16)
"""


def writer(store, rounds):
    command = [sys.executable, "-c", WRITER, str(store.folder), str(rounds)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def check_all(store):
    """Assert that every entry is whole, and return their number."""
    artifacts = store.artifacts()
    for artifact in artifacts:
        state = store.get(artifact.key)
        assert (state["a"] == int(artifact.key[:2])).all()
        assert len(state["a"]) == 20_000
    return len(artifacts)


def test_a_writer_killed_at_any_moment_leaves_only_whole_artifacts(store):
    for wait in (0.001, 0.004, 0.01, 0.02):
        process = writer(store, 100_000)
        process.stdin.write("go\n")
        process.stdin.flush()
        time.sleep(wait)
        process.kill()
        process.communicate()
        check_all(store)
    store.sweep()
    assert not list(store.folder.glob("??/.*"))
    check_all(store)


def test_two_processes_write_and_remove_the_same_keys(store):
    processes = [writer(store, 120) for _ in range(2)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    assert check_all(store) > 0
    assert not list(store.folder.glob("??/.*"))


def test_the_least_recently_used_go_above_the_limit_but_none_that_was_used(store):
    now = time.time()
    for key, age in ((AA, 30), (BB, 20), (CC, 10)):
        store.put(key, STATE)
        os.utime(store.folder / key[:2] / key, (now - age, now - age))
    size = store.artifacts()[0].bytes
    later = Store(store.folder)
    assert AA in later
    (note,) = later.limit(2 * size)
    assert "the 1 artifacts that were not used for longest" in note
    assert [artifact.key for artifact in store.artifacts()] == [CC, AA]
    (_, note) = later.limit(size // 2)
    assert "this run alone needs" in note
    assert [artifact.key for artifact in store.artifacts()] == [AA]
    assert store.limit(10**12) == []


@pytest.mark.parametrize(
    "use", [lambda store: AA in store, lambda store: store.about(AA), lambda store: store.put(AA, STATE)]
)
def test_what_another_process_uses_is_not_the_least_recently_used(store, use):
    now = time.time()
    for key, age in ((AA, 30), (BB, 20)):
        store.put(key, STATE)
        os.utime(store.folder / key[:2] / key, (now - age, now - age))
    size = store.artifacts()[0].bytes
    use(Store(store.folder))
    Store(store.folder).limit(size)
    assert [artifact.key for artifact in store.artifacts()] == [AA]


def test_a_removal_that_fails_is_not_claimed(store, monkeypatch):
    def read_only(path, target):
        raise OSError(errno.EROFS, "Read-only file system")

    store.put(AA, STATE)
    monkeypatch.setattr(Path, "rename", read_only)
    with pytest.raises(StoreError, match="1 artifacts cannot be removed, 0 were: is the folder read-only"):
        store.collect(0, 0)
    assert Store(store.folder).limit(1)[0].endswith("is the folder read-only?")


def test_a_damaged_artifact_counts_and_can_be_removed(store):
    store.put(AA, STATE)
    path = store.folder / "aa" / AA
    path.write_bytes(b"[" * 2000)
    (store.folder / "aa" / "somebody else").write_text("kept")
    os.mkfifo(store.folder / "aa" / ("aa" * 15 + "ff"))
    (artifact,) = store.artifacts()
    assert (artifact.key, artifact.bytes, artifact.about) == (AA, 2000, DAMAGED)
    assert [removed.key for removed in store.collect(0, 0)] == [AA]
    assert (store.folder / "aa" / "somebody else").exists()


CRAFTED = {
    "deep": b"[" * 100_000,
    "a list": b"[1, 2]",
    "null": b"null",
    "no text": b"\xff\xfe",
    "endless": b"x" * 3_000_000,
    "a number of many digits": b"1" * 5_000,
}


@pytest.mark.parametrize("line", CRAFTED.values(), ids=CRAFTED)
def test_a_crafted_first_line_is_one_error_and_stops_no_command(store, line):
    store.put(BB, STATE)
    store.put(AA, STATE)
    (store.folder / "aa" / AA).write_bytes(line)
    with pytest.raises(StoreError, match=r"the manifest cannot be read") as raised:
        store.get(AA)
    assert len(str(raised.value)) < 400
    assert store.about(AA) is None
    assert len(store.artifacts()) == 2
    assert store.find(AA) is None


@pytest.mark.parametrize("change", [
    {"about": ["als"]}, {"arrays": None}, {"arrays": {"a": 3}}, {"arrays": {"a": {}}},
    {"arrays": {"a": {"dtype": "<f4", "shape": [10**12], "order": "C", "start": 0}}},
    {"arrays": {"a": {"dtype": "<f4", "shape": [2], "order": [], "start": 0}}},
    {"arrays": {"a": {"dtype": "<f4", "shape": None, "order": "C", "start": {}}}},
    {"arrays": {"a": {"dtype": [], "shape": [1], "order": "C", "start": 0}}}, {"checksum": None}, {"key": BB},
])  # fmt: skip
def test_a_crafted_manifest_with_a_right_checksum_is_one_error(store, change):
    store.put(AA, STATE)
    path = store.folder / "aa" / AA
    line, _, data = path.read_bytes().partition(b"\n")
    content = json.loads(line)["content"] | change
    whole = {"format": 1, "checksum": json_digest(content), "content": content}
    path.write_bytes(json.dumps(whole).encode() + b"\n" + data)
    with pytest.raises(StoreError):
        store.get(AA)
    assert len(store.artifacts()) == 1


def test_an_artifact_is_of_its_own_key_alone(store):
    store.put(AA, STATE)
    (store.folder / "bb").mkdir()
    (store.folder / "bb" / BB).write_bytes((store.folder / "aa" / AA).read_bytes())
    with pytest.raises(StoreError, match=f"written under the key '{AA}', not under this one"):
        store.get(BB)


def test_what_never_ends_is_not_read(store):
    store.put(AA, STATE)
    (store.folder / "bb").mkdir()
    os.mkfifo(store.folder / "bb" / BB)
    (store.folder / "cc").mkdir()
    (store.folder / "cc" / CC).symlink_to("/dev/zero")
    for key in (BB, CC):
        assert store.find(key) is None
    assert [artifact.key for artifact in store.artifacts()] == [AA]


def test_what_another_process_stores_anew_while_it_is_collected_is_no_failure(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.put("ab" * 16, {"x": np.ones(3)})
    removed = store_module.remove

    def remove_and_store_again(path):
        removed(path)
        if not store._path("ab" * 16).exists():
            store.put("ab" * 16, {"x": np.ones(3)})

    monkeypatch.setattr(store_module, "remove", remove_and_store_again)
    assert [artifact.key for artifact in store.collect(0, 0.0)] == ["ab" * 16]
