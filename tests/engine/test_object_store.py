"""The store in object storage: what a folder promises, whatever the network does, and one copy of what two put."""

import os
import pickle
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

import hybridrec
from hybridrec import MissingDependencyError, StoreError
from hybridrec.api import fit, plan_fits
from hybridrec.engine import object_store
from hybridrec.engine.leases import Leases, lease_files
from hybridrec.engine.object_store import ObjectStore, open_store
from hybridrec.engine.store import DAMAGED, Store
from hybridrec.errors import ObjectStorageError
from tests.engine.object_server import faults, objects
from tests.engine.test_shares import SHARED, same_slates

pytest.importorskip("obstore")
URL = "s3://bucket/some/store"
KEY, OTHER = "ab12" * 8, "cd34" * 8
STATE = {"scores": np.arange(12, dtype=np.float32).reshape(3, 4).T, "names": np.array(["a", "größe", "곡"])}


def same(left, right):
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)


@pytest.fixture(params=["stand-in", pytest.param("moto", marks=pytest.mark.slow)])
def storage(request, monkeypatch):
    """A server of objects, with a proxy of faults in front of it: (server or None, proxy)."""
    monkeypatch.setattr(object_store, "RETRIES", {
        "max_retries": 4, "retry_timeout": timedelta(seconds=20),
        "backoff": {"init_backoff": timedelta(milliseconds=10), "max_backoff": timedelta(milliseconds=50), "base": 2},
    })  # fmt: skip
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true", "no_proxy": "127.0.0.1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    if request.param == "moto":
        server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        upstream = server.get_host_and_port()
        for method, path in (("POST", "moto-api/reset"), ("PUT", "bucket")):
            asked = urllib.request.Request(f"http://{upstream[0]}:{upstream[1]}/{path}", method=method)
            urllib.request.urlopen(asked).close()
        with faults(upstream) as proxy:
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.server_port}")
            yield None, proxy
        server.stop()
        return
    with objects() as server, faults(server.server_address) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.server_port}")
        yield server, proxy


@pytest.fixture
def machine(storage, tmp_path):
    """The store as a machine of this name sees it, with a cache of its own."""
    return lambda name="a": ObjectStore(URL, tmp_path / f"cache-{name}")


def test_what_one_machine_puts_another_gets_mapped_and_checked(machine):
    here, there = machine("a"), machine("b")
    assert here.get(KEY) is None
    assert KEY not in here
    assert here.about(KEY) is None
    here.put(KEY, STATE, {"component": "als"})
    assert KEY in there
    assert there.about(KEY)["component"] == "als"
    assert not any(there.folder.rglob("ab12*"))
    assert same(there.get(KEY), STATE)
    assert there.get(KEY)["scores"].flags.f_contiguous
    assert [artifact.key for artifact in Store(there.folder).artifacts()] == [KEY]
    assert here.doubled == there.doubled == set()


def test_a_large_artifact_comes_in_pieces_and_a_long_manifest_whole(machine, monkeypatch):
    monkeypatch.setattr(object_store, "_PIECE", 100_000)
    monkeypatch.setattr(object_store, "_FIRST_LINE", 50)
    state = {"large": np.random.default_rng(3).random((500, 400))}
    machine("a").put(KEY, state, {"long": "x" * 100_000})
    assert machine("b").about(KEY)["long"] == "x" * 100_000
    assert same(machine("b").get(KEY), state)


def test_what_is_dropped_is_gone_for_those_who_have_no_copy(machine):
    machine("a").put(KEY, STATE)
    machine("a").put(OTHER, STATE, {"component": "ease"})
    assert machine("b").drop(KEY)
    assert KEY not in machine("b")
    assert machine("b").drop(KEY)
    (artifact,) = machine("b").artifacts()
    assert (artifact.key, artifact.about["component"]) == (OTHER, "ease")
    assert [removed.key for removed in machine("b").collect(0, float("inf"))] == [OTHER]
    assert machine("b").artifacts() == []


def test_what_was_removed_elsewhere_is_gone_in_spite_of_a_copy_and_is_put_again(machine):
    here, there = machine("a"), machine("b")
    here.put(KEY, STATE)
    assert there.drop(KEY)
    assert KEY not in here
    assert here.about(KEY) is here.get(KEY) is None
    here.put(KEY, STATE)
    assert here.doubled == set()
    assert same(there.get(KEY), STATE)


def test_what_was_put_anew_elsewhere_is_read_and_not_the_copy(machine):
    here, there = machine("a"), machine("b")
    here.put(KEY, STATE, {"plan of": "before"})
    there.drop(KEY)
    there.put(KEY, {"x": np.zeros(1)}, {"plan of": "after"})
    assert here.about(KEY)["plan of"] == "after"
    here.put(KEY, STATE, {"reproducible": False})
    assert same(here.get(KEY), {"x": np.zeros(1)})


def test_a_list_of_artifacts_uses_none_of_them(machine):
    here = machine("a")
    here.put(KEY, STATE)
    later = machine("a")
    assert [artifact.key for artifact in later.artifacts()] == [KEY]
    assert later.touched == set()


def test_the_first_copy_stays_and_another_is_refused(machine):
    here, there = machine("a"), machine("b")
    here.put(KEY, STATE, {"took": 1})
    there.put(KEY, STATE, {"took": 2})
    assert there.doubled == {KEY}
    assert there.about(KEY)["took"] == 1
    with pytest.raises(StoreError, match=rf"{URL}/ab/{KEY}: .*, process \d+ stored other arrays"):
        there.put(KEY, {"x": np.zeros(1)})
    there.put(KEY, {"x": np.zeros(1)}, {"reproducible": False})
    assert same(there.get(KEY), STATE)


FAULTS = [["500"], ["503", "503"], ["slow"], ["lost"], ["GET cut"], ["GET torn"], ["PUT 409"], ["PUT lost"],
          ["HEAD 500", "GET cut", "GET torn"], ["PUT 500", "PUT 409", "PUT lost"]]  # fmt: skip


@pytest.mark.parametrize("planned", FAULTS, ids="+".join)
def test_faults_of_the_network_change_nothing(storage, machine, planned):
    proxy = storage[1]
    here, there = machine("a"), machine("b")
    proxy.faults.extend(planned)
    here.put(KEY, STATE, {"took": 1})
    about, state = there.about(KEY), there.get(KEY)
    assert about["took"] == 1
    assert same(state, STATE)
    assert here.doubled == set()
    assert len(proxy.made) == len(planned), "every fault was made"
    proxy.faults.clear()
    there.put(KEY, STATE)
    assert there.doubled == {KEY}


def test_storage_that_stays_away_is_one_sentence_and_removes_nothing(storage, machine):
    proxy = storage[1]
    machine("a").put(KEY, STATE)
    proxy.faults.extend(["500"] * 1000)
    for ask in (lambda store: store.find(KEY), lambda store: store.put(OTHER, STATE), lambda store: KEY in store):
        with pytest.raises(ObjectStorageError, match=rf"{URL}: .*500") as raised:
            ask(machine("b"))
        assert "\n" not in str(raised.value)
    proxy.faults.clear()
    assert same(machine("b").get(KEY), STATE)
    assert not list(machine("b").folder.rglob(".*"))


def test_a_damaged_copy_is_copied_again(machine):
    store = machine()
    store.put(KEY, STATE)
    path = store.folder / KEY[:2] / KEY
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert same(store.get(KEY), STATE)


def test_a_damaged_object_is_told_and_makes_room(storage, machine):
    server, _ = storage
    if server is None:
        pytest.skip("the stand-in alone can be damaged")
    machine("a").put(KEY, STATE)
    ((path, (content, tag, put)),) = server.objects.items()
    server.objects[path] = content[:-1] + b"x", tag, put
    with pytest.raises(StoreError, match=rf"{URL}/ab/{KEY}: .*damaged"):
        machine("b").get(KEY)
    server.objects[path] = b"damaged", tag, put
    assert machine("b").artifacts()[0].about == DAMAGED
    machine("b").put(KEY, STATE)
    assert same(machine("c").get(KEY), STATE)
    server.objects[path] = b"damaged", tag, put
    assert machine("d").find(KEY) is None
    assert not server.objects


def test_of_two_puts_at_the_same_time_one_stays_a_thousand_times(storage, machine):
    server, _ = storage
    rounds = 100 if server is None else 1000  # a check and a write of moto are not one
    if server is None:
        pytest.skip("moto checks and writes one after the other")
    machines = [machine(name) for name in "ab"]
    with ThreadPoolExecutor(2) as threads:
        for number in range(rounds):
            start = threading.Barrier(2)
            key = f"{number:032x}"

            def put(store, key=key, start=start):
                start.wait()
                store.put(key, {"x": np.arange(3)}, {"took": store.folder.name})

            list(threads.map(put, machines))
            assert sum(key in store.doubled for store in machines) == 1
    assert len(server.puts) == rounds == len({*server.puts})


def test_leases_hold_are_renewed_and_taken_over(storage, machine, monkeypatch):
    server, _ = storage
    first, second = (Leases(lease_files(machine(name)), 1000.0) for name in "ab")
    assert first.acquire(KEY)
    assert not second.acquire(KEY)
    assert "process" in second.holder(KEY)
    state = second.files.read(KEY)
    assert state.age < 100
    renewed = first.files.renew(KEY, state.text, state.version)
    assert renewed not in (None, state.version)
    assert second.files.take(KEY, "mine", state.version) is None, "it was renewed meanwhile"
    assert first.files.renew(KEY, state.text, state.version) is None
    if server is not None:
        server.clock += 2500
        assert second.holder(KEY) is not None
        server.clock += 1000
        assert second.acquire(KEY), "three beats were missed by the clock of the storage"
        first.release(KEY)
        assert second.holder(KEY) is not None
    else:
        second.files.remove(KEY, renewed)
        assert second.acquire(KEY)
    second.release(KEY)
    assert second.holder(KEY) is None
    for leases in (first, second):
        leases.close()


def test_an_answer_that_is_lost_loses_no_lease(storage, machine):
    leases = Leases(lease_files(machine()), 1000.0)
    storage[1].faults.append("PUT lost")
    assert leases.acquire(KEY)
    state = leases.files.read(KEY)
    storage[1].faults.append("PUT lost")
    renewed = leases.files.renew(KEY, state.text, state.version)
    assert leases.files.read(KEY).version == renewed != state.version
    leases.close()


def test_the_store_sweeps_old_leases(storage, machine):
    server, _ = storage
    if server is None:
        pytest.skip("the clock of moto cannot be set")
    server.clock = -90_000.0
    assert Leases(lease_files(machine()), 1000.0).acquire(KEY)
    server.clock = 0.0
    assert Leases(lease_files(machine()), 1000.0).acquire(OTHER)
    machine("b").sweep()
    assert [path.rpartition("/")[2] for path in server.objects] == [OTHER]


def test_shares_through_object_storage_give_the_report_of_a_folder(storage, experiment, monkeypatch):
    path = experiment(*SHARED)
    alone = hybridrec.run(path, store="alone", runs="alone-runs")
    assert plan_fits(path, store=URL, shares=2).fits
    for number in (1, 2, 1, 2):
        monkeypatch.setenv("HYBRIDREC_CACHE", f"cache-{number}")
        storage[1].faults.extend(["PUT lost", "GET cut", "500"])
        report = fit(path, store=URL, share=f"{number}/2", steal=number == 2)
        assert report.doubled == 0
    assert report.left == ()
    monkeypatch.setenv("HYBRIDREC_CACHE", "cache-3")
    together = hybridrec.run(path, store=URL, runs="shared-runs")
    assert all(each.cached for each in together.report.fits)
    assert together.report.comparable() == alone.report.comparable()
    assert same_slates(alone, together)


def test_a_worker_limits_its_cache_when_it_ends_and_not_the_bucket(storage, experiment, monkeypatch):
    monkeypatch.setenv("HYBRIDREC_CACHE", "cache")
    path = experiment(("workers: 2", "workers: 2\nstore: {max: 1MB}"))
    old = open_store(URL)
    old.put(KEY, {"x": np.zeros(10**6)})
    fit(path, store=URL)
    cached = {artifact.key for artifact in Store(old.folder).artifacts()}
    assert KEY not in cached
    assert cached
    assert KEY in old


def test_a_store_pickles_without_its_connections(machine):
    store = machine()
    store.put(KEY, STATE)
    assert same(pickle.loads(pickle.dumps(store)).get(KEY), STATE)


def test_a_store_from_another_machine_has_the_cache_of_this_one(monkeypatch, tmp_path):
    monkeypatch.setenv("HYBRIDREC_CACHE", str(tmp_path / "there"))
    usual, chosen = pickle.dumps(open_store(URL + "/")), pickle.dumps(ObjectStore(URL, tmp_path / "chosen"))
    monkeypatch.setenv("HYBRIDREC_CACHE", str(tmp_path / "here"))
    store = pickle.loads(usual)
    assert (store.url, store.folder) == (URL, open_store(URL).folder)
    assert store.folder.parent == tmp_path / "here"
    assert pickle.loads(chosen).folder == tmp_path / "chosen"


def test_an_address_opens_object_storage_and_all_else_is_a_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HYBRIDREC_CACHE", str(tmp_path))
    store = open_store("gs://bucket/store/")
    assert isinstance(store, ObjectStore)
    assert (store.url, store.place, store.absolute()) == ("gs://bucket/store", "gs://bucket/store", store)
    assert store.folder.parent == tmp_path
    assert open_store("az://container/x").folder != store.folder
    assert type(open_store(tmp_path)) is type(open_store("a/b")) is Store
    monkeypatch.setenv("HYBRIDREC_STORE", "s3://b")
    assert open_store(None).place == "s3://b"
    with pytest.raises(StoreError, match="s3://b is an address, not a folder"):
        Store.default()
    monkeypatch.delenv("HYBRIDREC_STORE")
    assert open_store(None).folder == Path(".hybridrec/store")
    with pytest.raises(StoreError, match=r"ftp://x: a store is a folder, or an address that begins with s3://, gs://"):
        open_store("ftp://x")
    with pytest.raises(StoreError, match=r"s3://: name a bucket, and a folder in it: s3://BUCKET/FOLDER"):
        ObjectStore("s3://")


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "obstore", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'hybridrec\[object-storage\]'"):
        open_store(URL)


def test_the_command_line_keeps_the_slashes_of_an_address(storage, call, experiment, monkeypatch):
    monkeypatch.setenv("HYBRIDREC_CACHE", "cache")
    status, out, err = call("fit", experiment(), "--store", URL, "--quiet")
    assert (status, err) == (0, "")
    assert "0 of this share are left" in out
    status, out, _ = call("store", "size", "--store", URL)
    assert status == 0
    assert "popularity" in out
    assert not Path("s3:").exists()
    with suppress(KeyError):
        del os.environ["HYBRIDREC_CACHE"]
