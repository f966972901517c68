"""The URL of a webhook is a secret: no recipe holds one, and no problem repeats it."""

import pytest

from luthier.recipe.loading import load_recipe
from luthier.recipe.problems import RecipeError

REST = """
task: text-classification
data: {source: rows.csv, columns: {text: text, label: label}}
base_model: {source: models/base}
"""


@pytest.mark.parametrize(
    "section",
    [
        "{webhook: {url_env: 'https://host/secret'}}",
        "{webhook: {url: 'https://host/secret'}}",
        "{webhook: 'https://host/secret'}",
        "'https://host/secret'",
        "{slack: 'https://host/secret'}",
    ],
)
def test_a_url_is_refused_with_the_reason_wherever_it_stands(yaml_file, section):
    with pytest.raises(RecipeError) as error:
        load_recipe(yaml_file(f"{REST}on_failure: {section}\n"))
    assert "webhook.url_env" in str(error.value) and "environment variable" in str(error.value)
    assert "secret" not in str(error.value)


def test_a_password_in_an_argument_is_refused_and_a_plain_address_is_not(yaml_file):
    with pytest.raises(RecipeError):
        load_recipe(yaml_file(f"{REST}on_failure: {{command: [curl, 'https://me:secret@host/']}}\n"))
    recipe = load_recipe(yaml_file(f"{REST}on_failure: {{command: [curl, 'https://host/']}}\n")).recipe
    assert recipe.on_failure.command == ["curl", "https://host/"]


@pytest.mark.parametrize("section", ["{webhook: {url_env: 'A B'}}", "{command: []}", "{command: run me}"])
def test_what_cannot_be_called_is_refused(yaml_file, section):
    with pytest.raises(RecipeError):
        load_recipe(yaml_file(f"{REST}on_failure: {section}\n"))
