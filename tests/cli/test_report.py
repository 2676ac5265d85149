"""The command `report`: the page is written anew, and opened."""

import hybridrec


def test_report_writes_the_page_and_opens_it(call, experiment, monkeypatch):
    opened = []
    monkeypatch.setattr("click.launch", opened.append)
    folder = hybridrec.run(experiment()).folder
    page = folder / "report.html"
    written = page.read_bytes()
    page.write_text("somebody else's", encoding="utf-8")
    assert call("report", folder, "--no-open") == (0, f"{page}\n", "")
    assert opened == []
    assert page.read_bytes() == written
    assert call("report", folder) == (0, f"{page}\n", "")
    assert opened == [str(page)]
