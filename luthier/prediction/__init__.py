"""Answering the rows of a file of any size."""
