"""PEFT's closed list of types, and what extending it relies on."""

import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import peft
import pytest
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_PREFIX_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING
from peft.utils import PeftType

from luthier.methods.tuners import bitfit, bottleneck, peft_types
from luthier.methods.tuners.peft_types import register

TUNERS = Path(peft_types.__file__).parent
OURS = [
    ("BOTTLENECK", bottleneck.BottleneckConfig, bottleneck.BottleneckModel),
    ("BITFIT", bitfit.BitFitConfig, bitfit.BitFitModel),
]


@pytest.mark.parametrize(("name", "config", "tuner"), OURS)
def test_a_registered_tuner_is_known_to_peft_in_every_way_that_its_own_are(name, config, tuner):
    register(config, tuner)
    member = PeftType(name)
    assert member is PeftType[name] is getattr(PeftType, name)
    assert (member.name, member.value, str.__str__(member)) == (name, name, name)
    assert member in list(PeftType) and name in list(PeftType) and member == name
    assert PEFT_TYPE_TO_CONFIG_MAPPING[name] is PEFT_TYPE_TO_CONFIG_MAPPING[member] is config
    assert PEFT_TYPE_TO_TUNER_MAPPING[name] is tuner
    assert PEFT_TYPE_TO_PREFIX_MAPPING[name] == f"{name.lower()}_"
    assert peft.get_peft_config({"peft_type": name}) == config()


def test_registering_twice_or_a_copy_leaves_the_first():
    register(bottleneck.BottleneckConfig, bottleneck.BottleneckModel)
    copy = type("BottleneckModel", (bottleneck.BottleneckModel,), {})
    before = list(PeftType)
    register(bottleneck.BottleneckConfig, copy)
    assert list(PeftType) == before
    assert PEFT_TYPE_TO_TUNER_MAPPING["BOTTLENECK"] is bottleneck.BottleneckModel


def test_a_name_that_peft_has_taken_itself_is_refused():
    ours = type("LoraModel", (bottleneck.BottleneckModel,), {"prefix": "lora_"})
    with pytest.raises(RuntimeError, match="has a method lora of its own"):
        register(bottleneck.BottleneckConfig, ours)


def test_this_peft_has_no_method_of_our_names():
    """Where it fails, PEFT has gained one: look whether it can be used, and rename ours."""
    source = inspect.getsource(peft.utils.peft_types)
    assert "LORA =" in source and "BOTTLENECK =" not in source and "BITFIT =" not in source


def test_the_tuners_work_where_nothing_else_of_luthier_is(tmp_path):
    shutil.copytree(TUNERS, tmp_path / "luthier" / "methods" / "tuners")
    for package in ("luthier", "luthier/methods"):
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "script.py").write_text(
        "import peft, torch\n"
        "from luthier.methods.tuners import bitfit, bottleneck, peft_types\n"
        "peft_types.register(bottleneck.BottleneckConfig, bottleneck.BottleneckModel)\n"
        "peft_types.register(bitfit.BitFitConfig, bitfit.BitFitModel)\n"
        "model = torch.nn.Sequential(torch.nn.Linear(8, 8))\n"
        "config = bottleneck.BottleneckConfig(target_modules=['0'], reduction_factor=2)\n"
        "print(peft.get_peft_model(model, config)(torch.ones(1, 8)).shape)\n"
    )
    command = [sys.executable, "-P", "script.py"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert printed.stdout.strip() == "torch.Size([1, 8])", printed.stderr
