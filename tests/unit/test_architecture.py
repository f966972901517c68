"""What holds for the project as a whole."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Literal, get_type_hints

import yaml

from luthier.recipe.loading import load_recipe

ROOT = Path(__file__).resolve().parents[2]

GRAPH = {
    "raw_data": set(),
    "cleaned_splits": {"raw_data", "base_model"},
    "base_model": set(),
    "quantized_model": {"base_model"},
    "tuning_study": {"cleaned_splits", "base_model", "quantized_model"},
    "hyperparameters": {"cleaned_splits", "base_model", "tuning_study"},
    "adapter": {"cleaned_splits", "base_model", "quantized_model", "hyperparameters"},
    "evaluation_report": {"cleaned_splits", "adapter"},
    "deployed_artifact": {"adapter", "evaluation_report"},
    "method_comparison": {"cleaned_splits", "base_model", "quantized_model"},
}
PACKAGES = ("luthier", "assets", "resources", "pipelines")
# They make the splits and show them, or have Parquet files of their own, or read train and validation alone.
NAMES_PARQUET = {
    "luthier/data",
    "luthier/data_report",
    "luthier/sources",
    "luthier/prediction",
    "luthier/serving",
    "luthier/evaluation/assessment.py",
    "luthier/evaluation/champion.py",
    "luthier/training/tokens.py",
}
SEALED = "luthier/evaluation/sealed_test.py"
HEAVY = [
    "torch",
    "transformers",
    "peft",
    "bitsandbytes",
    "datasets",
    "mlflow",
    "sklearn",
    "scipy",
    "matplotlib",
    "pandas",
    "litserve",
    "starlette",
    "onnx",
    "onnxruntime",
    "gguf",
    "cleanlab",
]


def test_the_asset_graph_is_the_one_that_the_documentation_draws():
    from pipelines.definitions import defs

    graph = defs.resolve_asset_graph()
    found = {
        node.key.to_user_string(): {key.to_user_string() for key in node.parent_keys} for node in graph.asset_nodes
    }
    assert found == GRAPH


def test_every_asset_has_a_sentence_kinds_and_a_group():
    from pipelines.definitions import defs

    for node in defs.resolve_asset_graph().asset_nodes:
        assert node.description and node.description.endswith(".") and "\n" not in node.description
        assert node.kinds and node.group_name != "default"


def test_every_shipped_recipe_validates_and_says_what_it_is_for_and_how_to_run_it():
    recipes = sorted((ROOT / "recipes").glob("*.yaml"))
    assert {"reviews", "reviews-full", "reviews-qlora"} <= {path.stem for path in recipes}
    for path in recipes:
        load_recipe(path)
        first = path.read_text().partition("\n")[0]
        assert first.startswith("# ") and first.endswith(f"Run: make finetune RECIPE={path.stem}")


def test_workspace_and_any_dg_section_name_the_same_module():
    (location,) = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"]
    assert location["python_module"]["module_name"] == "pipelines.definitions"
    dg = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"].get("dg")
    assert dg is None or dg["project"]["code_location_target_module"] == "pipelines.definitions"


def test_definitions_and_command_line_load_without_the_heavy_libraries():
    script = f"import sys, pipelines.definitions, pipelines.cli; print([m for m in {HEAVY} if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_no_module_but_the_sealed_one_names_the_file_of_the_test_split():
    naming: dict[str, set[str]] = {}
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                naming.setdefault(node.value, set()).add(str(path.relative_to(ROOT)))
    assert naming["test.parquet"] == {SEALED}
    # The end of a name that is made up, which could be that of any split.
    ending = naming[".parquet"] | naming["*.parquet"]
    assert {path if path in NAMES_PARQUET else str(Path(path).parent) for path in ending} == NAMES_PARQUET


def test_an_evaluation_takes_rows_of_train_and_validation_by_name_and_no_others():
    from luthier.evaluation.assessment import Assessment

    assert get_type_hints(Assessment.rows)["split"] == Literal["train", "validation"]


def test_the_example_of_an_environment_has_every_variable_that_is_read():
    sources = [path.read_text() for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    read = set(re.findall(r"\bLUTHIER_[A-Z_]+\b", " ".join(sources)))
    assert read and read == set(re.findall(r"^# (LUTHIER_[A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def test_constraints_pin_every_dependency_exactly():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [name for names in project["optional-dependencies"].values() for name in names]
    wanted = {name.partition("[")[0] for name in [*project["dependencies"], *extras]}
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all("==" in line and "+" not in line for line in pins)
    assert {name.lower() for name in wanted} <= {line.partition("==")[0].lower() for line in pins}
