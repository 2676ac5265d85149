"""The folder of a run: all files or none, and a name of its own."""

import hybridrec
from hybridrec import Run
from tests.engine.toy_runs import events, keys


def test_the_folder_holds_the_whole_run(experiment):
    run = hybridrec.run(experiment())
    assert {path.name for path in run.folder.iterdir()} == {
        "config.yaml", "lock.json", "manifest.json", "report.json", "report.html", "per_query.parquet",
        "queries.parquet", "names.parquet", "slates",
    }  # fmt: skip
    assert run.folder.name.startswith("toy-")
    assert Run.open(run.folder).report == run.report
    assert {path.name for path in (run.folder / "slates").iterdir()} == {
        f"{name}.{target}.parquet" for name in ("control", "hybrid") for target in ("items", "tags")
    }
    found = run.slates("hybrid")
    assert found.columns == ["query", "rank", "id", "score", "served_by"]
    assert found.group_by("query").len()["len"].to_list() == [10] * run.report.pipelines["hybrid"].queries
    assert run.lock["config_hash"] == run.report.config_hash
    assert run.lock["data"]["fingerprint"] == run.report.data.fingerprint
    assert run.lock["environment"]["packages"]["toyland"] == "1.5"
    assert run.lock["fits"]["test/full/ease"] == keys(run.report)["ease", "test", "full"]
    (finished,) = events("finished")
    assert finished == {"name": "toy", "folder": str(run.folder)}
