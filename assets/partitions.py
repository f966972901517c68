"""One partition per recipe."""

import dagster as dg

from resources.home import recipes_folder
from resources.recipe_book import recipe_names

recipe_partitions = dg.StaticPartitionsDefinition(recipe_names(recipes_folder()))
