"""Evaluation: scores with intervals, baselines, and the report."""
