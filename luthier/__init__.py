"""Declarative fine-tuning of transformers: data, tasks, methods, training, evaluation and packaging."""
