"""What a notebook shows of a run."""

import hybridrec
from hybridrec.evaluation.summary import html


def test_a_run_shows_its_verdict_and_its_table(experiment):
    shown = hybridrec.run(experiment())._repr_html_()
    assert "<th>ndcg@5</th>" in shown
    assert "<td>hybrid</td>" in shown
    assert "control" in shown.partition("<table>")[0]


def test_what_people_wrote_is_no_markup(experiment):
    report = hybridrec.run(experiment()).report
    report = report.model_copy(update={"name": "<script>", "notes": ["<img src=x>"]})
    assert "&lt;script&gt;" in html(report)
    assert "<img" not in html(report)
