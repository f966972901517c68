import pytest

from luthier.tuning.result import StudyResult
from tests.unit.sources.conftest import postgres
from tests.unit.training.conftest import fine_tuning, quantized_llama, splits
from tests.unit.tuning.made_studies import ODD

__all__ = ["fine_tuning", "postgres", "quantized_llama", "splits"]


@pytest.fixture(params=list(ODD))
def odd(request: pytest.FixtureRequest) -> StudyResult:
    """Studies that are hard to draw."""
    return ODD[request.param]()
