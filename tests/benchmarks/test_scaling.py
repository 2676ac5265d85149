"""The tables of many workers follow from measured figures, and the page has them as they follow."""

import json

import pytest

from benchmarks import ray_jobs, scaling
from benchmarks.scaling import Job, tables, write_tables


def way(wall, cpu, **facts):
    return {"wall": wall, "cpu": cpu, "private MB of a process": 100.0, "of all": 300.0, **facts}


def notes(**values):
    return [{"what": text, "value": value} for text, value in values.items()]


def figures(equal=1.0, differ=0):
    fits = {
        "units": 20,
        "ways": {
            "threads": way(50, 100, **{"MB in the store": 40.0}),
            "1 share on a folder": way(100, 102, **{"MB in the store": 40.0}),
            "8 shares on a folder": way(60, 128, **{"MB in the store": 40.0}),
            "Ray, 3 nodes": way(60, 140, **{"MB in the store": 50.0}),
        },
        "ratios": notes(**{
            "reports that are equal, 1 for yes": equal,
            "CPU seconds of a worker that finds all done: imports, data, splits": 1.0,
            "MB of the data, which each worker reads": 3.0,
        }),
    }  # fmt: skip
    slates = {
        "work": "slates of als: 1,000 users",
        "units": 1_000,
        "ways": {
            scaling.LOOP: way(2, 3, **{"CPU s for one user": 1.0}),
            "Spark": way(9, 30, **{"CPU s for one user": 20.0}),
        },
        "ratios": notes(**{
            "places that differ from those of the loop: Spark": differ,
            "CPU seconds of a fit, one round of als, and of writing the bundle": 4.0,
            "MB of the slates": 0.5,
            "MB of the bundle": 7.0,
        }),
    }  # fmt: skip
    few = {**slates, "units": 500, "ratios": [*slates["ratios"][:3], *notes(**{"MB of the bundle": 6.9})]}
    long = {"ratios": notes(**{ray_jobs.SHARE: 0.02})}
    short = {"ratios": notes(**{ray_jobs.ADDED: 8.0, ray_jobs.DRIVER: 4.0, ray_jobs.START: 2.0})}
    computing = {"ratios": notes(**{ray_jobs.COMPUTING: 1.03})}
    return {
        "cluster": {"works": [fits, few]},
        "ray-jobs": {"works": [long, short, computing]},
        "engines": {"works": [slates]},
    }


def cells(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_the_page_has_what_follows_from_its_figures():
    page = scaling.PAGE.read_text(encoding="utf-8")
    for mark, table in tables(json.loads(scaling.FIGURES.read_text(encoding="utf-8"))).items():
        assert f"<!-- {mark} -->\n{table}\n<!-- /{mark} -->" in page, f"run python -m benchmarks.scaling for '{mark}'"


def test_workers_share_whole_pieces_until_storage_is_full():
    job = Job(pieces=10, unit=10, start=2, moved=3e9, each=1e8)
    assert job.duration(1) == 2 + 100
    assert job.duration(3) == 2 + 4 * 10
    assert job.duration(100) == (3e9 + 100 * 1e8) / 1e9
    assert job.efficiency(1) == pytest.approx(100 / 102)
    assert job.efficiency(job.saturation) <= 0.5 < job.efficiency(job.saturation - 1)


def test_saturation_is_where_no_larger_number_of_workers_is_busy():
    job = Job(pieces=10, unit=10, start=3, moved=0, each=0)
    assert job.efficiency(9) <= 0.5 < job.efficiency(10)
    assert job.efficiency(job.saturation) <= 0.5 < job.efficiency(job.saturation - 1)
    assert job.saturation > 10


def test_what_a_piece_takes_beyond_the_work_is_no_work():
    job = Job(pieces=10, unit=10, start=2, moved=0, each=0, overhead=1)
    assert job.duration(5) == 2 + 2 * 11
    assert job.efficiency(5) == pytest.approx(100 / (5 * 24))


def test_the_driver_hands_out_one_piece_after_the_other():
    job = Job(pieces=1_000, unit=1, start=0, moved=0, each=0, driver=0.01)
    assert job.duration(50) == 20
    assert job.duration(500) == 10
    assert job.saturation == pytest.approx(200, rel=0.1)


def test_jobs_are_those_that_were_measured():
    by_shares, long, short, slates = scaling.jobs(figures()).values()
    # 128 - 100 seconds, less the start of eight shares, for each of 20 fits.
    assert by_shares == Job(pieces=1_000, unit=60.0, start=1.0, moved=2e9, each=3e6, overhead=1.0)
    assert long == Job(1_000, 60.0, start=2.0, moved=2e9, each=1e7, overhead=60 * (1.03 - 1) + 0.008, driver=0.004)
    assert short == Job(60_000, 1.0, start=2.0, moved=120e9, each=1e7, overhead=(1.03 - 1) + 0.008, driver=0.004)
    assert slates.pieces * slates.unit == pytest.approx(100e6 * (3 - 1) / 1_000, rel=1e-4)
    # 0.1 MB more of bundle for 500 users more: 200 bytes for each, which queries bring; the rest each worker reads.
    assert slates.start == 1.0
    assert slates.moved == pytest.approx(100e6 * (500 + 200))
    assert slates.each == pytest.approx(7e6 - 1_000 * 200)


def test_core_hours_are_seconds_for_each_user():
    fit, loop, spark = cells(tables(figures())["nightly"])
    assert fit[1:] == ["60,000", "166.7", "1,666.7"]
    assert loop == [f"als: {scaling.LOOP}", "2,000", "5.6", "55.6"]
    assert spark[1:] == ["10,000", "27.8", "277.8"]


def test_a_difference_is_in_the_table():
    assert [row[-1] for row in cells(tables(figures())["many workers"])] == ["", "yes", "yes", "yes", "", "yes"]
    rows = cells(tables(figures(equal=0.0, differ=3))["many workers"])
    assert [row[-1] for row in rows] == ["", "no", "no", "no", "", "no"]
    assert rows[2] == ["20 fits", "8 shares on a folder", "60", "128", "100", "300", "no"]


def test_a_page_without_the_mark_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- nightly -->\nold\n<!-- /nightly -->\nb\n")
    write_tables(page, {"nightly": "new"})
    assert page.read_text() == "a\n<!-- nightly -->\nnew\n<!-- /nightly -->\nb\n"
    with pytest.raises(ValueError, match="0 places marked `<!-- more workers -->`"):
        write_tables(page, {"more workers": "new"})
