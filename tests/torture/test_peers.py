"""The attacks on other libraries tell a file that is read as before from one that gives other answers or runs code."""

import pickle

import numpy as np

from tests.torture.peers import Hostile, Peer, outcome, unknown, unpickled


def peer(load):
    factors = np.arange(40.0)

    def ask(model):
        return [3, 1], [float(model[39]), float(model[1])]

    return Peer(
        factors, load, ask, lambda model: model, lambda path, made: path.write_bytes(pickle.dumps(Hostile(made)))
    )


def refuse(path):
    raise ValueError(f"{path.name} is damaged")


def test_a_damaged_file_is_refused_read_as_before_or_gives_another_answer(tmp_path):
    before = ([3, 1], [39.0, 1.0])
    assert outcome(peer(lambda path: np.arange(40.0)), tmp_path / "als", before) == "the same answer"
    assert outcome(peer(lambda path: np.ones(40)), tmp_path / "als", before) == "ANOTHER ANSWER"
    assert outcome(peer(refuse), tmp_path / "als", before) == "refused, the file named"
    assert outcome(peer(lambda path: {}), tmp_path / "als", before) == "refused, the file not named"


def test_a_hostile_pickle_is_seen_to_run_or_not(tmp_path):
    path = tmp_path / "als"
    path.write_bytes(b"whole")
    assert unpickled(peer(refuse), path) == "no code was run (ValueError: als is damaged)"
    assert unpickled(peer(lambda path: pickle.loads(path.read_bytes())), path) == "CODE WAS RUN (loaded)"
    assert path.read_bytes() == b"whole"


def test_scores_that_are_not_numbers_are_counted():
    assert unknown(peer(refuse)) == "1 of 2 scores of the slate are NaN"
