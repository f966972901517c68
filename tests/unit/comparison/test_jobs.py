import pytest

from luthier.errors import LuthierError
from pipelines.definitions import compare_methods_job, finetune_job
from pipelines.launch import downstream_of

FINETUNE = {"hyperparameters", "adapter", "evaluation_report", "deployed_artifact"}
COMPARE = {"method_comparison"}
BOTH = {"raw_data", "cleaned_splits", "base_model", "quantized_model"}


def test_each_job_makes_what_the_other_does_not_need_to() -> None:
    jobs = [finetune_job(), compare_methods_job()]
    made = [{key.to_user_string() for key in job.asset_layer.selected_asset_keys} for job in jobs]
    assert made == [FINETUNE | BOTH, COMPARE | BOTH]


def test_a_run_from_an_asset_on_compares_nothing() -> None:
    assert "method_comparison" not in {key.to_user_string() for key in downstream_of("base_model")}
    with pytest.raises(LuthierError, match="no such asset"):
        downstream_of("method_comparison")
