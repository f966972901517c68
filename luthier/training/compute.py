"""What a training runs on: device, precision, attention and threads, chosen at run time and recorded."""

import logging
from dataclasses import dataclass

import psutil
import torch

from luthier.methods.method import BaseMethod
from luthier.recipe.schema import TrainingSection

log = logging.getLogger(__name__)

# Up to this length eager attention beats SDPA on CPUs (measured: 1.6 to 2 times for sentences).
SHORT_TEXT_TOKENS = 256


@dataclass(frozen=True)
class Compute:
    """Where and how the arithmetic happens; recorded with every artifact that depends on it.

    ``frozen_dtype`` is the precision of weights that are not trained; trained weights are always float32.
    With ``autocast`` matrix products of float32 weights run in bfloat16.
    """

    device: str
    frozen_dtype: str
    autocast: bool
    attention: str
    threads: int

    @property
    def dtype(self) -> torch.dtype:
        return getattr(torch, self.frozen_dtype)

    def pin_threads(self) -> None:
        torch.set_num_threads(self.threads)


def choose_compute(training: TrainingSection, method: BaseMethod) -> Compute:
    """The best the machine has for this training.

    A frozen base is held in bfloat16 where the processor multiplies it natively, which is several times faster there;
    weights that are trained stay in float32, since bfloat16 rounds most optimizer steps away.
    A quantized base computes in the precision its recipe names.
    """
    device = available_device()
    low = training.precision == "bfloat16"
    if training.precision == "auto":
        quantization = method.base_quantization
        low = quantization.compute_dtype == "bfloat16" if quantization else fast_bfloat16(device)
    threads = (psutil.cpu_count(logical=False) or 1) if training.threads == "auto" else training.threads
    return Compute(
        device=device,
        frozen_dtype="bfloat16" if low and not method.trains_base else "float32",
        autocast=low and (method.trains_base or device == "cuda"),
        attention="eager" if device == "cpu" and training.max_length <= SHORT_TEXT_TOKENS else "sdpa",
        threads=threads,
    )


def available_device() -> str:
    """``cuda``, ``mps`` or ``cpu``."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def fast_bfloat16(device: str) -> bool:
    """Whether the device multiplies bfloat16 matrices faster than float32 ones."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device == "cpu":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return False
