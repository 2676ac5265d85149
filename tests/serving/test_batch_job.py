"""Batches in a folder: the answers of one call, in parts that a kill does not spoil."""

import json

import numpy as np
import polars as pl
import pytest

import hybridrec
from hybridrec import BatchRecommender, ConfigError, DataError, ProcessExecutor, Query, Run
from hybridrec.serving import batch_job
from hybridrec.serving.batch_job import MANIFEST, BatchJob
from hybridrec.serving.query_source import AllUsers, QueryFile
from hybridrec.testing import toy_dataset


@pytest.fixture
def answer(experiment):
    return BatchRecommender(hybridrec.run(experiment(("workers: 2", "refit: all"))).folder, n=5)


@pytest.fixture
def job(answer, tmp_path):
    return BatchJob(answer, AllUsers(answer.recommender.data), tmp_path / "out", size=25)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class KilledError(BaseException):
    """The end of the process."""


def killed_after(job, parts, **options):
    """Run a job that is killed as soon as this number of parts is finished."""
    finished = []

    def advance(queries):
        finished.append(queries)
        if len(finished) == parts:
            raise KilledError

    with pytest.raises(KilledError):
        job.run(advance=advance, **options)


def test_the_parts_hold_what_recommend_answers_user_by_user(job, answer):
    finished = []
    parts = job.run(advance=finished.append)
    assert [path.name for path in parts] == ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]
    assert finished == [25, 25, 10]
    table = pl.concat(pl.read_parquet(path, glob=False) for path in parts)
    assert table.schema == answer.schema
    users = answer.recommender.data.users.vocabulary.ids
    slates = [answer.recommender.recommend(Query(user=user), 5).to_frame() for user in users]
    assert table["id"].to_list() == [item for slate in slates for item in slate["id"]]
    assert table["query"].unique(maintain_order=True).to_list() == users.to_list()
    scores = np.concatenate([slate["score"] for slate in slates])
    np.testing.assert_allclose(table["score"].fill_null(np.nan), scores, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("part_format", ["parquet", "jsonl", "csv"])
def test_a_job_that_was_killed_and_continued_leaves_the_same_files(answer, tmp_path, part_format):
    source = AllUsers(answer.recommender.data)
    whole, killed = (BatchJob(answer, source, tmp_path / name, part_format, 7) for name in ("whole", "killed"))
    whole.run()
    killed_after(killed, 2)
    before = {path.name: path.stat().st_mtime_ns for path in killed.folder.glob("part-*")}
    assert len(before) == 2
    killed_after(killed, 5, resume=True)
    killed.run(resume=True)
    assert contents(killed.folder) == contents(whole.folder)
    assert all((killed.folder / name).stat().st_mtime_ns == time for name, time in before.items())


def test_a_kill_while_a_part_is_written_leaves_no_part_of_it(job, monkeypatch):
    from hybridrec.paths import replacing

    class Torn:
        """A file of which the process writes the first half, and ends."""

        def __init__(self, path):
            self.context = replacing(path)

        def __enter__(self):
            self.file = self.context.__enter__()
            return self

        def write(self, content):
            self.file.write(content[: len(content) // 2])
            raise KilledError

        def __exit__(self, *error):
            return self.context.__exit__(*error)

    with monkeypatch.context() as patch:
        patch.setattr(batch_job, "replacing", Torn)
        with pytest.raises(KilledError):
            job.run()
    assert [path.name for path in job.folder.glob("part-*")] == []
    assert len(job.run(resume=True)) == 3


def test_parts_that_were_changed_are_made_again(job):
    job.run()
    whole = contents(job.folder)
    (job.folder / "part-00001.parquet").write_bytes(b"other")
    job.run(resume=True)
    assert contents(job.folder) == whole
    (job.folder / "part-00000.parquet").unlink()
    job.run(resume=True)
    assert contents(job.folder) == whole


@pytest.fixture
def replaced(answer, experiment, tmp_path):
    """The function of a bundle, and a function that puts the bundle of another run in its place."""
    live, new = tmp_path / "live.hybridrec", tmp_path / "new.hybridrec"
    other = hybridrec.run(experiment(("workers: 2", "refit: all"), ("ease: {l2: 5}", "ease: {l2: 50}"))).folder
    Run.open(answer.bundle).bundle(live)
    Run.open(other).bundle(new)
    return BatchRecommender(live, n=5), lambda: new.exists() and new.replace(live)


def test_a_bundle_that_is_replaced_meanwhile_answers_no_part_of_the_job(replaced, tmp_path):
    answer, replace_bundle = replaced
    undisturbed, disturbed, later = (
        BatchJob(answer, AllUsers(answer.recommender.data), tmp_path / name, size=7)
        for name in ("undisturbed", "disturbed", "later")
    )
    undisturbed.run()
    disturbed.run(advance=lambda queries: replace_bundle())
    assert contents(disturbed.folder) == contents(undisturbed.folder)
    later.run()
    assert contents(later.folder) != contents(undisturbed.folder), "the next job has the new bundle"


def test_the_digest_is_that_of_the_bundle_that_answers(replaced, tmp_path, monkeypatch):
    answer, replace_bundle = replaced
    digest_of = batch_job.bundle_digest

    def digest_then_replace(path):
        digest = digest_of(path)
        replace_bundle()
        return digest

    late, whole = (BatchJob(answer, AllUsers(toy_dataset(users=9)), tmp_path / name) for name in ("late", "whole"))
    with monkeypatch.context() as patch:
        patch.setattr(batch_job, "bundle_digest", digest_then_replace)
        late.run()
    whole.run()
    assert contents(late.folder) == contents(whole.folder)
    (finished,) = json.loads((late.folder / MANIFEST).read_text())["parts"]
    assert finished["queries"] == 60, "all users are those of the bundle that answers"


def test_another_bundle_queries_or_options_are_refused_by_name(job, answer, experiment, tmp_path):
    killed_after(job, 1)
    before = contents(job.folder)
    other = hybridrec.run(experiment(("workers: 2", "refit: all"), ("ease: {l2: 5}", "ease: {l2: 50}"))).folder
    queries = tmp_path / "queries.csv"
    queries.write_text("query,items\na,item 01\n")
    data = answer.recommender.data
    for changed, message in [
        (BatchJob(BatchRecommender(other, n=5), job.source, job.folder, size=25), "begun with another bundle"),
        (BatchJob(answer, QueryFile(queries, data), job.folder, size=25), "begun with other queries"),
        (BatchJob(answer, job.source, job.folder, size=30), "begun with queries per part 25, not 30"),
        (BatchJob(BatchRecommender(answer.bundle, n=6), job.source, job.folder, size=25), "begun with n 5, not 6"),
        (BatchJob(answer, job.source, job.folder, "csv", 25), "begun with format parquet, not csv"),
    ]:
        with pytest.raises(ConfigError, match=message):
            changed.run(resume=True)
    with pytest.raises(ConfigError, match="holds a batch that was begun: continue it with --resume"):
        job.run()
    assert contents(job.folder) == before


def test_a_folder_with_other_files_is_left_alone(job):
    job.folder.mkdir()
    (job.folder / "mine.txt").write_text("mine")
    for resume in (False, True):
        with pytest.raises(ConfigError, match="out holds other files: name a new or an empty folder"):
            job.run(resume=resume)
    (job.folder / MANIFEST).write_text("{}")
    with pytest.raises(ConfigError, match="is not that of a batch"):
        job.run(resume=True)


def test_formats_hold_the_same_and_contributions_as_they_can(answer, tmp_path):
    data = answer.recommender.data
    explaining = BatchRecommender(answer.bundle, n=3, explain=True)
    tables = {}
    for part_format in ("parquet", "jsonl", "csv"):
        (path,) = BatchJob(explaining, AllUsers(data), tmp_path / part_format, part_format).run()
        tables[part_format] = path
    parquet = pl.read_parquet(tables["parquet"], glob=False)
    lines = [json.loads(line) for line in tables["jsonl"].read_text().splitlines()]
    columns = pl.read_csv(tables["csv"])
    assert [line["id"] for line in lines] == columns["id"].to_list() == parquet["id"].to_list()
    summands = {each["label"]: pytest.approx(each["value"]) for each in parquet["contributions"][0]}
    assert {each["label"]: each["value"] for each in lines[0]["contributions"]} == summands
    assert json.loads(columns["contributions"][0]) == summands


def test_mistakes_in_a_file_name_the_line_and_the_column(answer, tmp_path):
    queries = tmp_path / "queries.csv"
    queries.write_text("query,items\na,item 01\n\nb,item 01|item 77\n")
    job = BatchJob(answer, QueryFile(queries, answer.recommender.data), tmp_path / "out")
    with pytest.raises(DataError, match=r"queries.csv, line 4: column 'items': none of 40 items has the id 'item 77'"):
        job.run()
    queries.write_text("query,itemz\na,item 01\n")
    job = BatchJob(answer, QueryFile(queries, answer.recommender.data), tmp_path / "other")
    with pytest.raises(DataError, match=r"queries.csv, line 1: unknown column 'itemz'; did you mean 'items'"):
        job.run()


def test_a_part_has_at_most_a_million_places_and_ten_thousand_queries(answer):
    sizes = [
        BatchJob(
            BatchRecommender(answer.bundle, n=n), AllUsers(answer.recommender.data), answer.bundle
        ).queries_per_part(answer.recommender)
        for n in (5, 1_000, 100_000)
    ]
    assert sizes == [10_000, 1_000, 10]


def test_workers_in_other_processes_leave_the_same_files_and_go_on_after_a_kill(answer, tmp_path, monkeypatch):
    users = AllUsers(answer.recommender.data)
    monkeypatch.setattr(batch_job, "BLOCKS", 1)
    BatchJob(answer, users, tmp_path / "alone", size=7).run()
    apart = BatchJob(answer, users, tmp_path / "apart", size=7)
    with ProcessExecutor(2) as executor:
        killed_after(apart, 3, executor=executor)
        apart.run(resume=True, executor=executor)
        file = tmp_path / "queries.csv"
        file.write_text("user,items\nu1,\nu2,00|nothing\n", encoding="utf-8")
        bad = BatchJob(answer, QueryFile(file, answer.recommender.data), tmp_path / "bad")
        with pytest.raises(DataError, match=r"queries.csv, line 3: column 'items': none of 40"):
            bad.run(executor=executor)
    assert contents(tmp_path / "apart") == contents(tmp_path / "alone")
    assert len(contents(tmp_path / "alone")) == 10


def test_a_worker_that_finds_another_bundle_writes_nothing(replaced, tmp_path, monkeypatch):
    answer, replace = replaced
    job = BatchJob(answer, AllUsers(answer.recommender.data), tmp_path / "out", size=20)

    class Late:
        workers = 1

        def map(self, work, blocks):
            replace()
            return map(work, blocks)

    with pytest.raises(DataError, match="was replaced while the batch ran"):
        job.run(executor=Late())
    assert [*contents(tmp_path / "out")] == [MANIFEST]
