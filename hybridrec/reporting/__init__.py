"""Reporting: write the page of a finished run, `report.html`."""
