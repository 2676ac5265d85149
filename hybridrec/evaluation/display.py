"""A report where notebooks show the value of a cell."""

from __future__ import annotations

from html import escape

from hybridrec.evaluation.compare import sentence
from hybridrec.evaluation.report import Report
from hybridrec.evaluation.summary import deciding, result_table


def html(report: Report) -> str:
    """The verdict in words and the table of all queries, in the fonts and colours of the notebook."""
    headers, rows = result_table(report)
    head = "".join(f"<th>{escape(header)}</th>" for header in headers)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    said = "".join(f"<li>{escape(sentence(row))}</li>" for row in deciding(report))
    notes = "".join(f"<li>note: {escape(note)}</li>" for note in report.notes)
    return (
        f"<p><strong>{escape(report.name)}</strong></p><ul>{said}</ul>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><ul>{notes}</ul>"
    )
