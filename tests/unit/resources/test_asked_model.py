"""A registered version as people ask it."""

from dataclasses import replace

import pyarrow as pa
import pytest

from luthier.data.input_cleaning import UNCLEANED, InputCleaning
from luthier.errors import DataError, LuthierError
from luthier.prediction.prompts import ModelInputs
from luthier.recipe.data_section import Cleaning
from resources.asked_model import asked_model
from resources.package import save_package
from tests.served import MODEL, registry
from tests.unit.packaging.tuned import TEXTS, rows
from tests.unit.resources.test_package import packaged


def test_a_version_says_how_it_is_asked_and_answers_or_refuses_what_it_is(tmp_path):
    found = registry(tmp_path / "registry")
    made, plain = packaged(tmp_path / "made")
    cleaning = InputCleaning(Cleaning(html="keep", pii="mask"))
    serving = replace(made.serving("text-classification"), cleaning=cleaning)
    save_package(tmp_path / "made" / "model", tmp_path / "cleaned", serving, rows())
    with pytest.raises(LuthierError, match="no champion is registered"):
        asked_model(found.tracking, MODEL, None)
    found.champion(found.register(tmp_path / "cleaned"))
    found.register(plain)
    with pytest.raises(LuthierError, match="no such version"):
        asked_model(found.tracking, MODEL, "9")

    model = asked_model(found.tracking, MODEL, None)
    assert (model.name, model.version) == (MODEL, "1")
    assert model.inputs == ModelInputs(["text"], ["text"], cleaning)
    assert asked_model(found.tracking, MODEL, "2").inputs.cleaning == UNCLEANED
    said = model.answer(pa.table({"text": TEXTS}))
    assert said.schema == model.outputs == serving.outputs and len(said) == len(TEXTS)
    with pytest.raises(DataError, match="row 1 has no text"):
        model.answer(pa.table({"text": ["the film", " "]}))
