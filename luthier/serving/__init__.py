"""Serving a packaged model over HTTP: batches of what is asked at once, and a swap when the alias moves."""
