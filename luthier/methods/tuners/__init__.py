"""Tuners that PEFT lacks. They need torch and PEFT alone."""
