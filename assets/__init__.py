"""The nouns of the graph: one asset a file, its checks beside it."""
