"""Serving a registered model, and what is kept of it."""
