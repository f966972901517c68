"""Tuning: search spaces, studies and their trials, and what one round of a loop teaches the next."""
