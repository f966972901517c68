"""Evaluation: scores with intervals, baselines, pictures and the report."""
