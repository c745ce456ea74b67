"""This check is made after hand-in, outside of the sandbox, by a program that is not in it.

The grader puts copies of this file where the modules that judge stand in the package (see ``inside``).
"""


class CheckFailed(AssertionError):  # noqa: N818  It has this name where checks judge.
    """What a check raises where it judges; never raised here."""


def hint() -> None:
    """Say that there is no hint here."""
    print("hint(): judged after hand-in.")


def your_turn(function: object) -> object:
    """Return the function as it is: what lessons ask for is not judged here."""
    return function


def __getattr__(name: str):
    if name.startswith("check_"):

        def check(*arguments: object, **options: object) -> None:
            print(f"{name}: judged after hand-in.")

        return check
    raise AttributeError(f"there is no {name} here: what judges stands outside of the sandbox")
