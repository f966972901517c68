"""Pretrained models: snapshots, quantization, and loading them with a head."""
