import os
from dataclasses import replace

import pytest
import torch

from luthier.digest import file_digest
from luthier.errors import ModelError, OutOfMemoryError
from luthier.training import trainer
from luthier.training.finetuning import finetune
from luthier.training.fresh_process import in_fresh_process
from luthier.training.out_of_memory import halved, is_out_of_memory


def test_every_allocator_is_understood_and_nothing_else():
    said = "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to allocate"
    for error in (MemoryError(), torch.OutOfMemoryError("CUDA out of memory."), RuntimeError(said)):
        assert is_out_of_memory(error)
    for error in (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("out of memory")):
        assert not is_out_of_memory(error)


def test_what_torch_says_on_a_cpu_is_still_what_we_look_for():
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(raised.value)


def short_of_memory(monkeypatch, step: int) -> None:
    """Makes the memory run out at a step, in this process alone."""
    honest, calls = trainer.summed_loss, []

    def greedy(job, outputs, labels, num_items_in_batch=None):
        calls.extend([num_items_in_batch] if num_items_in_batch is not None else [])
        if len(calls) >= step:
            raise MemoryError
        return honest(job, outputs, labels, num_items_in_batch)

    monkeypatch.setattr(trainer, "summed_loss", greedy)


def test_a_retry_in_a_fresh_process_ends_in_the_bytes_of_a_training_with_half_the_batch(
    fine_tuning, tmp_path, monkeypatch, caplog
):
    job = fine_tuning("lora", epochs=1)
    direct, retried = tmp_path / "direct", tmp_path / "retried"
    direct.mkdir(), retried.mkdir()
    expected = finetune(
        replace(job, training=halved(job.training)), work=tmp_path / "a", output=direct, on_metrics=lambda *_: None
    )
    steps: list[int] = []
    with monkeypatch.context() as patched, caplog.at_level("INFO", logger="luthier"):
        short_of_memory(patched, 8)
        facts = finetune(job, work=tmp_path / "b", output=retried, on_metrics=lambda values, step: steps.append(step))
    assert file_digest(retried / "adapter_model.safetensors") == file_digest(direct / "adapter_model.safetensors")
    assert (facts.batch_size, facts.gradient_accumulation, facts.out_of_memory_retries) == (8, 2, 1)
    assert (expected.batch_size, expected.out_of_memory_retries) == (8, 0)
    assert facts.best_score == expected.best_score
    assert steps[-1] == facts.steps == expected.steps
    said = [record.getMessage() for record in caplog.records]
    assert any("batches of 16 rows" in line and "were expected" in line for line in said)
    assert any("validation accuracy" in line for line in said), "lines of the fresh process arrive here"


@pytest.mark.parametrize("settings", [{"on_out_of_memory": "fail"}, {"batch_size": 1}])
def test_without_leave_or_with_nothing_to_halve_it_fails_and_names_batch_and_estimate(
    fine_tuning, tmp_path, monkeypatch, settings
):
    short_of_memory(monkeypatch, 8)
    (tmp_path / "output").mkdir()
    with pytest.raises(OutOfMemoryError, match=r"batches of \d+ rows; [\d,]+ MB were expected"):
        finetune(
            fine_tuning("lora", **settings),
            work=tmp_path / "work",
            output=tmp_path / "output",
            on_metrics=lambda *_: None,
        )
    assert list((tmp_path / "output").iterdir()) == []


def mistaken(*, on_metrics) -> None:
    raise ModelError("a mistake", where="here", remedy="mend it")


def killed(*, on_metrics) -> None:
    os.kill(os.getpid(), 9)


def test_a_mistake_in_a_fresh_process_arrives_whole_and_a_killed_one_is_out_of_memory():
    with pytest.raises(ModelError) as raised:
        in_fresh_process(mistaken, on_metrics=lambda *_: None)
    assert (raised.value.what, raised.value.where, raised.value.remedy) == ("a mistake", "here", "mend it")
    with pytest.raises(OutOfMemoryError, match="was killed"):
        in_fresh_process(killed, on_metrics=lambda *_: None)
