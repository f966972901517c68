"""A Hugging Face folder, read in a process that has no Luthier."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from luthier.errors import ParityError
from luthier.methods import METHODS, Method
from luthier.methods.peft_method import PeftMethod
from luthier.methods.virtual_tokens import EmbeddedTokens
from luthier.packaging.targets.folder import BASE, Folder
from tests.unit.packaging.targets.proven import proven
from tests.unit.packaging.tuned import TEXTS

MERGED, ADAPTER = Folder(), Folder(weights="adapter")

# Nothing here but transformers and PEFT; -I leaves out the current folder, and what PYTHONPATH says.
READER = """
import importlib.abc, json, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("luthier", "resources", "assets", "pipelines"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocker())
try:
    import luthier
except ModuleNotFoundError:
    pass
else:
    sys.exit("luthier can be imported here")

import torch, transformers

kind, folder, base, texts = json.loads(sys.argv[1])
tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
auto = getattr(transformers, kind)
if base is None:
    model = auto.from_pretrained(folder)
else:
    import peft

    config = transformers.AutoConfig.from_pretrained(folder)
    plain = auto.from_pretrained(base, config=config, ignore_mismatched_sizes=True)
    model = peft.PeftModel.from_pretrained(plain, folder)
inputs = [tokenizer(*text, return_tensors="pt") for text in texts]
with torch.inference_mode():
    if kind == "AutoModelForCausalLM":
        chats = [[{"role": "user", "content": text}] for text, in texts]
        asked = [tokenizer.apply_chat_template(c, add_generation_prompt=True, return_tensors="pt") for c in chats]
        # As long as the prompts that Luthier's model was asked.
        ids = [given["input_ids"][:, -32:] for given in asked]
        said = [model.generate(given, max_new_tokens=8, do_sample=False)[0, given.shape[1]:] for given in ids]
        found = [tokenizer.decode(tokens, skip_special_tokens=True).strip() for tokens in said]
    else:
        found = [model.eval()(**given).logits.squeeze(0).softmax(dim=-1).tolist() for given in inputs]
print("\\n" + json.dumps(found))
"""


def read_without_luthier(kind: str, folder: Path, base: Path | None = None) -> list:
    given = json.dumps([kind, str(folder), base and str(base), [[text] for text in TEXTS]])
    done = subprocess.run([sys.executable, "-I", "-c", READER, given], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def written(target: Folder, model, folder: Path) -> Path:
    folder.mkdir()
    target.write(model, folder)
    return folder


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_merged_weights_classify_the_same_in_a_process_without_luthier(family, tmp_path):
    model = proven("single", tmp_path, family=family)
    folder = written(MERGED, model, tmp_path / "folder")
    assert MERGED.prove(model, folder)["parity"]["agreeing"] == len(TEXTS)
    found = read_without_luthier("AutoModelForSequenceClassification", folder)
    np.testing.assert_allclose(found, np.stack(model.expected.evidence), atol=1e-5)
    assert json.loads((folder / "config.json").read_text())["id2label"] == {"0": "bad", "1": "good"}
    assert (folder / "README.md").read_text() == model.card


def test_merged_weights_write_the_same_texts_in_a_process_without_luthier(tmp_path):
    model = proven("causal", tmp_path, modules_to_save=["lm_head"])
    folder = written(MERGED, model, tmp_path / "folder")
    assert MERGED.prove(model, folder)["parity"]["agreeing"] == len(TEXTS)
    found = read_without_luthier("AutoModelForCausalLM", folder)
    assert found == list(model.expected.answers) and any(found)


@pytest.mark.parametrize(
    ("kind", "family", "method"),
    [
        ("single", "gpt2", "lora"),
        ("single", "bert", "prefix"),
        ("tags", "bert", "prefix"),
        ("number", "roberta", "ia3"),
    ],
)
def test_an_adapter_answers_the_same_on_its_base(kind, family, method, tmp_path):
    model = proven(kind, tmp_path, family=family, kind=method)
    folder = written(ADAPTER, model, tmp_path / "folder")
    assert ADAPTER.prove(model, folder)["parity"]["agreeing"] == len(TEXTS)
    assert not (folder / "model.safetensors").exists()
    config = json.loads((folder / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["revision"]) == ("someone/tiny", "c0ffee")
    assert list(json.loads((folder / BASE).read_text())["weights"]) == ["model.safetensors"]


def test_an_adapter_is_read_by_peft_in_a_process_without_luthier(tmp_path):
    model = proven("single", tmp_path)
    folder = written(ADAPTER, model, tmp_path / "folder")
    found = read_without_luthier("AutoModelForSequenceClassification", folder, model.base)
    np.testing.assert_allclose(found, np.stack(model.expected.evidence), atol=1e-5)


def test_the_folder_of_another_model_is_refused(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    model, other = proven("single", tmp_path / "one"), proven("single", tmp_path / "other", kind="full")
    folder = written(MERGED, other, tmp_path / "folder")
    with pytest.raises(ParityError, match="merged folder"):
        MERGED.prove(model, folder)


@pytest.mark.parametrize("kind", METHODS)
def test_peft_alone_loads_what_is_neither_taught_to_it_nor_corrected(kind):
    method = TypeAdapter(Method).validate_python({"kind": kind})
    taught = type(method).teach_peft is not PeftMethod.teach_peft if isinstance(method, PeftMethod) else True
    assert method.plain_peft == (not taught and not isinstance(method, EmbeddedTokens))
