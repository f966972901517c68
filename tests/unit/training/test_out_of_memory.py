import os
from dataclasses import replace

import pytest
import torch

from luthier.digest import file_digest
from luthier.errors import ModelError, OutOfMemoryError
from luthier.recipe.schema import TrainingSection
from luthier.training import out_of_memory, trainer
from luthier.training.finetuning import finetune
from luthier.training.fresh_process import in_fresh_process
from luthier.training.out_of_memory import halved, is_out_of_memory, kernel_kills, remember_to_halve


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


@pytest.mark.parametrize(
    ("before", "after"), [((16, 1), (8, 2)), ((3, 2), (1, 6)), ((5, 1), (1, 5)), ((7, 3), (3, 7)), ((6, 1), (3, 2))]
)
def test_half_the_batch_gives_the_same_optimizer_steps(before, after):
    training = halved(TrainingSection(batch_size=before[0], gradient_accumulation=before[1]))
    assert (training.batch_size, training.gradient_accumulation) == after


def left_by_the_kernel(monkeypatch, tmp_path, work, *, kills: int) -> None:
    """What an attempt leaves that began when one process had been ended for want of memory."""
    monkeypatch.setattr(out_of_memory, "VMSTAT", tmp_path / "vmstat")
    out_of_memory.VMSTAT.write_text(f"nr_free_pages 5\noom_kill {kills}\n")
    work.mkdir()
    (work / out_of_memory.ATTEMPT).write_text('{"kernel_kills": 1, "expected": 7000000}')


def test_a_process_that_the_kernel_ended_for_want_of_memory_is_followed_by_half_the_batch(
    fine_tuning, tmp_path, monkeypatch, caplog
):
    job, output = fine_tuning("lora", epochs=1), tmp_path / "output"
    output.mkdir()
    left_by_the_kernel(monkeypatch, tmp_path, tmp_path / "work", kills=2)
    facts = finetune(job, work=tmp_path / "work", output=output, on_metrics=lambda *_: None)
    assert (facts.batch_size, facts.gradient_accumulation, facts.out_of_memory_retries) == (8, 2, 1)
    assert "7 MB were expected" in caplog.text


def test_where_the_recipe_says_fail_it_is_said_and_the_next_run_begins_as_it_is(fine_tuning, tmp_path, monkeypatch):
    job = fine_tuning("lora", epochs=1, on_out_of_memory="fail")
    left_by_the_kernel(monkeypatch, tmp_path, tmp_path / "work", kills=2)
    with pytest.raises(OutOfMemoryError, match=r"7 MB were expected(.|\n)*the kernel ended"):
        finetune(job, work=tmp_path / "work", output=tmp_path, on_metrics=lambda *_: None)
    assert list((tmp_path / "work").iterdir()) == []


def test_a_process_that_was_ended_otherwise_is_followed_by_the_same_batch(fine_tuning, tmp_path, monkeypatch):
    left_by_the_kernel(monkeypatch, tmp_path, tmp_path / "work", kills=1)
    facts = finetune(fine_tuning("lora", epochs=1), work=tmp_path / "work", output=tmp_path, on_metrics=lambda *_: None)
    assert (facts.batch_size, facts.out_of_memory_retries) == (16, 0)
    assert not (tmp_path / "work" / out_of_memory.ATTEMPT).exists()


def test_a_training_that_ran_out_of_memory_once_begins_with_half_the_batch_at_once(fine_tuning, tmp_path):
    remember_to_halve(tmp_path / "work")
    facts = finetune(fine_tuning("lora", epochs=1), work=tmp_path / "work", output=tmp_path, on_metrics=lambda *_: None)
    assert (facts.batch_size, facts.out_of_memory_retries) == (8, 1)


def test_the_count_of_the_kernel_is_read_where_there_is_one(monkeypatch, tmp_path):
    assert kernel_kills() is None or kernel_kills() >= 0
    monkeypatch.setattr(out_of_memory, "VMSTAT", tmp_path / "none")
    assert kernel_kills() is None
