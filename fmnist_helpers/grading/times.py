"""Reads when something was handed in, however it was written down: exactly, or not at all.

A time stamp can cost marks, so nothing is guessed. What can be read in two ways is not used, and the instructor is
told what it could mean and how to write it.
"""

from __future__ import annotations

import functools
import re
import unicodedata
import zoneinfo
from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo

from babel import Locale

LANGUAGES = (
    "en en_GB de de_AT fr es it pt nl pl cs sk sl hr bs sr_Latn sr mk bg ru uk hu ro tr el sv da nb fi et lt lv is "
    "sq ca gl ga af id ar zh ja ko"
).split()
"""Languages whose names of months and days of the week are known."""

HOURS_FROM_UTC = {
    **{"utc": 0, "gmt": 0, "z": 0, "ut": 0, "wet": 0, "west": 1, "cet": 1, "mez": 1, "cest": 2, "mesz": 2},
    **{"eet": 2, "eest": 3, "msk": 3, "sast": 2, "pkt": 5, "wib": 7, "hkt": 8, "awst": 8, "jst": 9, "kst": 9},
    **{"aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13, "est": -5, "edt": -4, "mst": -7, "mdt": -6},
    **{"pst": -8, "pdt": -7, "akst": -9, "akdt": -8, "hst": -10},
}
"""Abbreviations that mean one time zone for practical purposes; IST, CST, BST, AST and others do not."""

FILLERS = set(
    "a al alle am as at d da de del den der di do du el godz h il kl klo la las le les m o of om on ore os r saat the "
    "uhr um uur в г о р у".split()
)
"""Words around dates and times that add nothing to them, without accents."""

LONGEST = 200
SHOWN = 60
_HALF = r"(?:\s?(?P<half>[ap])\.?\s?m\b\.?)"
_CLOCKS = (
    # 11:59:00.123, also with the T of ISO 8601 or an h, as in French.
    r"(?:(?<=\d)T|(?<!\d))(?P<hour>\d{1,2})(?::|\s?h\s?)(?P<minute>\d\d)"
    rf"(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?(?!\d){_HALF}?",
    # 11.59 standing alone, as in Finnish or Danish.
    rf"(?<=\s)(?P<hour>\d{{1,2}})\.(?P<minute>\d\d)(?:\.(?P<second>\d\d))?(?!\S){_HALF}?",
    # 11 PM, 11 Uhr.
    rf"(?<!\S)(?P<hour>\d{{1,2}})(?:{_HALF}|\s?(?:h|uhr|uur)\b)",
)
_OFFSET = (
    r"\s*,?\s*\(?(?:(?:UTC|GMT)\s?(?P<long>[+-]\d{1,2}(?::?\d\d)?)|(?P<short>[+-]\d\d(?::?\d\d)?))(?![\d:])"
    # What follows an offset only names it: +0100 CET, +01:00[Europe/Berlin], GMT+0100 (Central European Time).
    r"\)?\s*(?:[\[(][^\])]*[\])]|[A-Z]{3,5}\b)?"
)
_COMPACT = r"(20\d\d)(\d\d)(\d\d)(?:T?(\d\d)(\d\d)(\d\d)?)?(?!\d)"
_BETWEEN = r"[\s.,/'-]+"
_WITH_NAME = tuple(
    _BETWEEN.join(parts)
    for parts in (
        (r"(?P<day>\d\d?)", r"#(?P<month>\d+)#", r"(?P<year>\d+)"),
        (r"#(?P<month>\d+)#", r"(?P<day>\d\d?)", r"(?P<year>\d+)"),
        (r"(?P<year>\d{4})", r"#(?P<month>\d+)#", r"(?P<day>\d\d?)"),
    )
)
_IN_ORDER = (
    r"(?P<year>\d{4})(?:\s?[-/.]\s?|\s)(?P<month>\d\d?)(?:\s?[-/.]\s?|\s)(?P<day>\d\d?)",
    r"(?P<day>\d\d?)\.\s?(?P<month>\d\d?)\.\s?(?P<year>\d+)",
)
_EITHER_ORDER = r"(\d\d?)([-/ ])(\d\d?)\2(\d+)"


class _NotUsed(Exception):
    """Says why a time stamp is not used, and what to do."""


def read_timestamp(text: str, now: datetime | None = None) -> tuple[datetime | None, list[str]]:
    """Return the time, in UTC, on the first line of ``text`` that is not blank, and what to tell the instructor.

    The time is None where the text is empty, cannot be read, can be read in two ways, or lies before the year 2000
    or more than a day after ``now``; only the empty text is passed over in silence. Nothing is raised.
    """
    lines = [line for line in map(_cleaned, text.splitlines()) if line]
    if not lines:
        return None, []
    shown = "".join(letter if letter.isprintable() else "?" for letter in lines[0])[:SHOWN]
    notes = ["only the first line of the time stamp was read"] if len(lines) > 1 else []
    try:
        moment, told = _read(lines[0], now or datetime.now(UTC))
    except _NotUsed as reason:
        return None, [f"the time stamp {shown} was not used: {reason}", *notes]
    return moment, [*(f"the time stamp {shown} {remark}" for remark in told), *notes]


def _cleaned(line: str) -> str:
    """Return a line without what cannot be seen, such as byte order marks and marks of direction."""
    # A file read in the wrong encoding can be long, and composing letters takes time.
    line = unicodedata.normalize("NFKC", line[: 8 * LONGEST]).replace("\ufffd", "")
    line = "".join(letter for letter in line if letter.isspace() or unicodedata.category(letter) not in ("Cc", "Cf"))
    return " ".join(line.translate({0x2212: "-", 0x2013: "-"}).split()).strip("\"'` ")


def _read(line: str, now: datetime) -> tuple[datetime, list[str]]:
    if len(line) > LONGEST:
        raise _NotUsed("it is too long for a time")
    seconds = re.fullmatch(r"(\d{9,10})(?:\.(\d+))?|(\d{9,10})(\d{3})", line)
    if seconds:
        whole, fraction = (part for part in seconds.groups(default="") if part) if seconds[3] else seconds.groups("")
        moment, told = _after_1970(whole, fraction), []
    else:
        moment, told = _read_words(line)
    if moment.year < 2000:
        raise _NotUsed("it lies before the year 2000")
    if moment > now + timedelta(days=1):
        raise _NotUsed("it lies in the future")
    return moment, told
