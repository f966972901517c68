"""Training: device and precision, tokens, the loop, sealed checkpoints, history."""
