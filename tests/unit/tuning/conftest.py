from tests.unit.training.conftest import fine_tuning, quantized_llama, splits

__all__ = ["fine_tuning", "quantized_llama", "splits"]
