"""The page on scaling out is true: its scripts and jobs are run as Slurm, Kubernetes and a CI would run them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import click
import pytest
import yaml

import hybridrec
from hybridrec.cli.fit import fit
from tests.docs.markdown import ROOT, blocks, marked

PAGE = ROOT / "docs" / "scaling.md"
SHARES = 4


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs a script in a folder with the config of the page, where `hybridrec` is this one: its output."""
    config = next(block.code for block in blocks(PAGE) if (block.language, block.mark) == ("yaml", "file"))
    (tmp_path / "sweep.yaml").write_text(config, encoding="utf-8")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "hybridrec"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hybridrec "$@"\n')
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYBRIDREC_STORE", raising=False)
    paths = {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": os.pathsep.join(sys.path)}

    def run(*words: str, **variables: str) -> str:
        env = os.environ | paths | variables
        done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def all_found() -> bool:
    """Run the experiment: True if every fit was in the store."""
    return all(each.cached for each in hybridrec.run("sweep.yaml").report.fits)


def job() -> Mapping[str, object]:
    """The job of Kubernetes, as far as it concerns us: (number of indices, command, environment)."""
    content = yaml.safe_load(marked(PAGE, "job.yaml"))
    assert (content["kind"], content["spec"]["completionMode"]) == ("Job", "Indexed")
    (container,) = content["spec"]["template"]["spec"]["containers"]
    return {"completions": content["spec"]["completions"], **container}


def matrix() -> Mapping[str, list[str]]:
    """The commands of each job of the CI, without the installation."""
    jobs = yaml.safe_load(marked(PAGE, "ci.yaml"))["jobs"]
    assert jobs["fit"]["strategy"]["matrix"]["share"] == [*range(1, SHARES + 1)]
    assert jobs["run"]["needs"] == "fit"
    runs = {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()}
    return {name: [run for run in commands if run.startswith("hybridrec")] for name, commands in runs.items()}


def test_every_option_of_a_worker_is_on_the_page():
    text = PAGE.read_text(encoding="utf-8")
    names = {option.opts[0] for option in fit.params if isinstance(option, click.Option)}
    for name in names - {"--set", "--store", "--block", "--plugin", "--quiet"}:
        assert f"`{name}" in text or f" {name} " in text


def test_one_task_of_each_system_starts(shell):
    out = shell("bash", "-c", marked(PAGE, "slurm.sh").replace("--wait --steal", ""),
                SLURM_ARRAY_TASK_ID="2", SLURM_ARRAY_TASK_COUNT=str(SHARES))  # fmt: skip
    assert out.startswith("share 2/4: ")
    container = job()
    assert container["completions"] == SHARES
    (command,) = container["command"][2:]
    out = shell(*container["command"][:2], command.replace("--wait --steal", ""), JOB_COMPLETION_INDEX="0")
    assert out.startswith("share 1/4: ")
    assert matrix()["fit"][-1].replace("${{ matrix.share }}", "3") == "hybridrec fit sweep.yaml --share 3/4"


@pytest.mark.slow
def test_xargs_fits_all_and_the_run_measures(shell):
    out = shell("bash", "-c", marked(PAGE, "xargs.sh"))
    assert [f"share {number}/4" in out for number in range(1, 5)] == [True] * 4
    assert out.rstrip().endswith("report.json")
    assert all_found()


@pytest.mark.slow
def test_the_array_fits_all(shell):
    variables = {"SLURM_ARRAY_TASK_COUNT": str(SHARES)}
    script = " & ".join(f"SLURM_ARRAY_TASK_ID={number} bash slurm.sh" for number in range(1, SHARES + 1))
    Path("slurm.sh").write_text(marked(PAGE, "slurm.sh"), encoding="utf-8")
    out = shell("bash", "-c", f"{script} & wait", **variables)
    assert out.count(", 0 of this share are left") == SHARES
    assert all_found()


@pytest.mark.slow
def test_the_script_runs_on_ray(shell):
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    Path("cluster.py").write_text(marked(PAGE, "cluster.py"), encoding="utf-8")
    assert shell(sys.executable, "cluster.py").rstrip().endswith("sweep")
    assert all_found()


@pytest.mark.slow
def test_the_stores_of_the_matrix_are_merged_by_copying(shell):
    commands = matrix()
    for share in range(1, SHARES + 1):
        for command in commands["fit"]:
            store = {"HYBRIDREC_STORE": f"store-{share}"}
            shell("bash", "-c", command.replace("${{ matrix.share }}", str(share)), **store)
        shutil.copytree(f"store-{share}", ".hybridrec/store", dirs_exist_ok=True)
    assert len([*Path(".hybridrec/store").glob("??/*")]) > len([*Path("store-1").glob("??/*")])
    for command in commands["run"]:
        assert shell("bash", "-c", command).rstrip().endswith("report.json")
    assert all_found()
