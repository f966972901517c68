"""Data: reading, cleaning, splitting, and the search for leaks."""
