"""Evaluation: metrics of slates, their statistics, comparisons of arms, and the content of `report.json`."""
