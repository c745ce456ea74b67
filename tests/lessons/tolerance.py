"""How the stored outputs of a lesson are compared with those of a new run.

What a cell prints must be equal, to the character. A cell that prints measured numbers has a tag such as
``approx:percent=5;decimal=0.15`` (nbformat allows no comma in a tag): in its outputs percentages may differ
by so many points and other decimals by so much. Words, whole numbers, and the number of numbers must be
equal even there, so that a shape, a count or a name can never slip through. The idea is the ``NUMBER``
option of pytest's doctest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PREFIX = "approx:"

# A sign belongs to a number only where no word or number ends before it, as in "-0.5" but not in "3-5".
# A version such as 2.15.0 is no number, nor are the digits of a name such as x86 or conv2.
NUMBER = re.compile(
    r"(?<![\w.])(?P<value>[-+]?\d+(?P<fraction>\.\d+)?(?P<power>e[-+]?\d+)?)(?P<unit>\s?%)?(?!\w|\.\d)"
)

# A figure's pixels depend on fonts and versions. Its text alternative stays and is compared, but for the values and
# what it says of them, which belong to one run; ``true_words`` recomputes that.
PIXELS = re.compile(r'src="data:image/(png|svg\+xml);base64,[^"]*"')
COURSE = re.compile(r'(?<=\bIn this run: )[^"\n]+')
VALUES = re.compile(r"(?<=<summary>The values</summary>)<ul>.*?</ul>(?=</details>)")


@dataclass(frozen=True)
class Tolerance:
    """How far numbers may differ: ``percent`` in percentage points, ``decimal`` as an absolute difference."""

    percent: float = 0.0
    decimal: float = 0.0

    @classmethod
    def from_tags(cls, tags: list[str]) -> Tolerance:
        """Read the tolerance from a cell's tags; without a tag everything is exact.

        Raises:
            ValueError: if there is more than one tolerance, or it is not written as above.
        """
        specs = [tag.removeprefix(PREFIX) for tag in tags if tag.startswith(PREFIX.rstrip(":"))]
        if len(specs) > 1:
            raise ValueError(f"a cell has more than one tolerance: {tags}")
        return cls(**dict(map(_read_part, specs[0].split(";")))) if specs else cls()

    def prepare(self, output: object) -> object:
        """Return what stands for ``output`` in a comparison; only text is changed."""
        if not isinstance(output, str):
            return output
        for part, name in ((PIXELS, 'src="(pixels)"'), (COURSE, "(course)"), (VALUES, "(values)")):
            output = part.sub(name, output)
        return Text(output, self)

    def accepts(self, left: str, right: str) -> bool:
        """Tell whether two texts differ by no more than this tolerance."""
        if self == Tolerance():
            return left == right
        words, numbers = _take_apart(left)
        other_words, other_numbers = _take_apart(right)
        return words == other_words and all(map(self._accepts_number, numbers, other_numbers))

    def _accepts_number(self, left: re.Match, right: re.Match) -> bool:
        kind = _kind(left)
        if kind != _kind(right):
            return False
        allowed = {"percent": self.percent, "decimal": self.decimal, "integer": 0.0}[kind]
        # The printed digits are exact, their binary form is not: 0.15 may be missed by a last bit.
        return abs(float(left["value"]) - float(right["value"])) <= allowed + 1e-9


class Text(str):
    """A text that equals another if its tolerance accepts the difference."""

    def __new__(cls, text: str, tolerance: Tolerance) -> Text:
        made = super().__new__(cls, text)
        made.tolerance = tolerance
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self.tolerance.accepts(str(self), str(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None


def _read_part(part: str) -> tuple[str, float]:
    name, _, value = part.partition("=")
    if name not in ("percent", "decimal") or not re.fullmatch(r"\d+(\.\d+)?", value):
        raise ValueError(f"{part!r} is no tolerance; write for example {PREFIX}percent=5;decimal=0.15")
    return name, float(value)


def _kind(number: re.Match) -> str:
    if number["unit"]:
        return "percent"
    return "decimal" if number["fraction"] or number["power"] else "integer"


def _take_apart(text: str) -> tuple[list[str], list[re.Match]]:
    """Return the texts between the numbers and the numbers.

    Runs of blanks count as one, because a number that gains a digit or a sign moves what stands beside it.
    """
    numbers = list(NUMBER.finditer(text))
    words = re.sub(r" +", " ", NUMBER.sub("\0", text)).replace(" \0", "\0").split("\0")
    return words, numbers
