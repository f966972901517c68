"""Packaging: merging the adapter into the base, proving that it answers the same, and the model card."""
