"""How the graph runs: definitions, jobs, the command line."""
