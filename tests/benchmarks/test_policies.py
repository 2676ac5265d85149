"""The intervals of off-policy estimates hold the true value of another policy; 40 of the 1,000 logs of the command."""

from benchmarks import policies


def test_the_true_value_of_another_policy_lies_in_its_interval():
    rows = policies.coverage(logs=40, users=300, resamples=200)
    assert [(row.logged, row.policy) for row in rows[::2]] == [
        ("plackett-luce 0.5", "plackett-luce 0.3"),
        ("plackett-luce 0.5", "epsilon-greedy 0.5"),
        ("epsilon-greedy 0.5", "plackett-luce 0.5"),
    ]
    for row in rows:
        assert abs(row.mean - row.truth) < 0.02, row
        assert row.held >= 0.85, row  # of 40 intervals at 95 %, 33 or fewer hold it once in 2,000 times
