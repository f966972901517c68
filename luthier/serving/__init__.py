"""Serving a packaged model over HTTP, a swap when the alias moves, and what is kept of the answers."""
