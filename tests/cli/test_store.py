"""The commands of the store: its size, and its clearance."""

from pathlib import Path

import hybridrec


def test_store_tells_its_size_and_is_cleared(call, experiment):
    status, out, _ = call("store", "size")
    assert status == 0
    assert "all" in out
    hybridrec.run(experiment())
    status, out, _ = call("store", "size")
    assert "ease" in out
    assert "results of" in out
    status, out, _ = call("store", "gc", "--keep", "1GB")
    assert out == "removed 0 artifacts, 0.0 MB\n"
    status, out, _ = call("store", "gc", "--older-than", "1")
    assert out == "removed 0 artifacts, 0.0 MB\n"
    status, out, err = call("store", "gc")
    assert status == 2
    assert "choose the artifacts to remove" in err
    status, out, _ = call("store", "gc", "--all")
    assert status == 0
    assert not out.startswith("removed 0")
    assert not list(Path(".hybridrec/store").glob("??/*"))


def test_folders_in_the_place_of_artifacts_stop_no_command(call, experiment):
    config = experiment()
    hybridrec.run(config)
    artifacts = list(Path(".hybridrec/store").glob("??/*"))
    for path in artifacts:
        path.unlink()
        (path / "below").mkdir(parents=True)
    assert call("store", "size")[0] == 0
    assert call("store", "gc", "--keep", "0GB") == (0, "removed 0 artifacts, 0.0 MB\n", "")
    assert call("run", config)[0] == 0
    assert all(path.is_file() for path in artifacts)
