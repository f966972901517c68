"""Tuners that PEFT lacks. Each file needs torch and PEFT alone, so that a packaged model can ship it."""
