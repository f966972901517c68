"""The data report: what the splits hold, how long their texts are, what was rejected, and whether anything leaked."""
