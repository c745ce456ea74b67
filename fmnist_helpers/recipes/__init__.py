"""Training runs as data: a recipe, what carries it out, and the study that compares recipes.

``recipe`` says what a recipe is and trains by it, ``around_model`` holds what goes around a model, ``flips_in_turn``
what goes around the data, ``study`` the recipes that lessons 06 and 07 compare.
"""

from fmnist_helpers.recipes.around_model import (
    BothViews,
    MixedPrecision,
    Normalise,
    RandomFlip,
    RandomShift,
)
from fmnist_helpers.recipes.flips_in_turn import FlipsInTurn
from fmnist_helpers.recipes.recipe import Recipe, Run, build_model, build_optimizer, train_recipe
from fmnist_helpers.recipes.study import FINAL, STEPS, Study, read_study

__all__ = [
    "FINAL",
    "STEPS",
    "BothViews",
    "FlipsInTurn",
    "MixedPrecision",
    "Normalise",
    "RandomFlip",
    "RandomShift",
    "Recipe",
    "Run",
    "Study",
    "build_model",
    "build_optimizer",
    "read_study",
    "train_recipe",
]
