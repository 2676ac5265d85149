"""Metrics: what is counted is read back, in the text format of Prometheus."""

from prometheus_client.parser import text_string_to_metric_families

from hybridrec_server.journal.writer import FileJournal
from hybridrec_server.metrics import ServerMetrics
from hybridrec_server.schemas import Ready, WorkerStatus


def samples(metrics):
    families = text_string_to_metric_families(metrics.render().decode())
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_all_that_is_counted_is_read():
    metrics = ServerMetrics()
    metrics.count_response("recommend", 200, 0.02)
    metrics.count_events(3, 1, [0.5, 2.0])
    metrics.count_batch("hybrid", 4, {"score": 0.25, "rerank": 0.5}, 2)
    metrics.count_answer("hybrid", "blend:items")
    metrics.count_degraded("deadline")
    metrics.count_fault("als", "hung")
    metrics.count_lost_worker("hung")
    metrics.count_overloaded("queue")
    metrics.count_swap("made")
    read = samples(metrics)
    assert not [name for name, *_ in read if name.endswith("_created")]
    for name, value in {
        ("hybridrec_responses_total", "recommend", "200"): 1,
        ("hybridrec_response_seconds_sum", "recommend"): 0.02,
        ("hybridrec_events_total", "accepted"): 3,
        ("hybridrec_events_total", "repeated"): 1,
        ("hybridrec_event_lag_seconds_count",): 2,
        ("hybridrec_stage_seconds_sum", "hybrid", "score"): 0.25,
        ("hybridrec_batch_requests_sum",): 4,
        ("hybridrec_unknown_ids_total",): 2,
        ("hybridrec_answers_total", "hybrid", "blend:items"): 1,
        ("hybridrec_degraded_answers_total", "deadline"): 1,
        ("hybridrec_component_faults_total", "als", "hung"): 1,
        ("hybridrec_workers_lost_total", "hung"): 1,
        ("hybridrec_overloaded_total", "queue"): 1,
        ("hybridrec_swaps_total", "made"): 1,
    }.items():
        assert read[name] == value, name


def test_the_counts_of_the_journal_are_those_of_now(tmp_path):
    metrics, journal = ServerMetrics(), FileJournal(tmp_path)
    metrics.watch_journal(journal)
    assert samples(metrics)["hybridrec_journal_full",] == 0
    journal.counts.lost, journal.is_full = 3, True
    read = samples(metrics)
    assert read["hybridrec_journal", "lost"] == 3
    assert read["hybridrec_journal", "written"] == 0
    assert read["hybridrec_journal_full",] == 1


def test_the_state_of_the_server_is_that_of_now():
    metrics = ServerMetrics()
    workers = [WorkerStatus(worker=0, state="ready", bundle="b1"), WorkerStatus(worker=1, state="busy", bundle="b1")]
    states = [
        Ready(ready=True, bundle="b1", workers=workers, queue=7, left_out={"als": 3.5}),
        Ready(ready=True, bundle="b2", workers=workers[:1], queue=0),
    ]
    metrics.watch(lambda: states[0])
    read = samples(metrics)
    assert read["hybridrec_queue",] == 7
    assert (read["hybridrec_workers", "ready"], read["hybridrec_workers", "busy"]) == (1, 1)
    assert read["hybridrec_left_out", "als"] == 3.5
    assert read["hybridrec_bundle", "b1"] == 1
    del states[0]
    read = samples(metrics)
    assert ("hybridrec_left_out", "als") not in read
    assert ("hybridrec_bundle", "b1") not in read
