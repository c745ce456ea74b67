"""Reads when something was handed in, however it was written down: exactly, or not at all.

A time stamp can cost marks, so nothing is guessed. What can be read in two ways is not used, and the instructor is
told what it could mean and how to write it.
"""

from __future__ import annotations

import contextlib
import functools
import re
import unicodedata
import zoneinfo
from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo

from babel import Locale

LANGUAGES = (
    "en en_GB de de_AT fr es it pt nl pl cs sk sl hr bs sr_Latn sr mk bg ru uk hu ro tr el sv da nb fi et is ca gl af "
    "id ar zh ja ko"
)
"""Languages whose names of months and of days of the week are known."""

HOURS_FROM_UTC = {
    name: hours
    for hours, names in {
        **{-10: "hst", -9: "akst", -8: "pst akdt", -7: "mst pdt", -6: "mdt", -5: "est", -4: "edt"},
        **{0: "z utc ut tu gmt wet", 1: "cet mez west", 2: "cest mesz eet sast", 3: "eest msk", 5: "pkt"},
        **{7: "wib", 8: "awst hkt", 9: "jst kst", 10: "aest", 11: "aedt", 12: "nzst", 13: "nzdt"},
    }.items()
    for name in names.split()
}
"""Abbreviations that mean one time zone for practical purposes; IST, CST, BST, AST and others do not."""

FILLERS = (
    "a al alle as at d da de del den der do el godz h il kl klo la las le les o of om on ore r saat the uhr um uur "
    "в г о р у ч"  # noqa: RUF001
)
"""Words around dates and times that change nothing, without accents. Some languages say AM and PM by "am" or "du"."""

LONGEST = 200
SHOWN = 60

_HALF = r"(?:\s?(?P<half>[ap])(?:\.?\s?m)?\b\.?)"
_CLOCKS = (
    # 11:59:00.123, after a blank or the T of ISO 8601; 11h59.
    r"(?:(?<=\d)T|(?<![\d+-]))(?P<hour>\d\d?)(?::|\s?h\s?)(?P<minute>\d\d)"
    rf"(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?(?!\d){_HALF}?",
    # 11.59, standing alone.
    rf"(?<=\s)(?P<hour>\d\d?)\.(?P<minute>\d\d)(?:\.(?P<second>\d\d))?(?!\S){_HALF}?",
    # 11 PM, 11 Uhr.
    rf"(?<!\S)(?P<hour>\d\d?)(?:{_HALF}|\s?(?:h|uhr|uur)\b)",
)
# 20270302T115900, 2027-03-02-11-59-00
_COMPACT = r"^(20\d\d)-?(\d\d)-?(\d\d)(?:[-_T ]?(\d\d)-?(\d\d)(?:-?(\d\d))?)?(?!\d)"
_EAST_ASIAN = r"(\d+)\s?[年년]\s?(\d+)\s?[月월]\s?(\d+)\s?[日일]"
_OFFSET = (
    r"\s*,?\s*\(?(?:(?i:UTC|GMT)\s?(?P<after_utc>[+-]\d\d?(?::?\d\d)?)|(?P<alone>[+-]\d\d(?::?\d\d)?))(?![\d:])"
    # What follows only names it: +0100 CET, +01:00[Europe/Berlin], GMT+0100 (Central European Standard Time).
    r"\)?(?:\s*[\[(][^\])]*[\])]|\s*[A-Z]{3,5}\b)?"
)
_WORD = r"[^\W\d_]+(?:-[^\W\d_]+)*"
_BETWEEN = r"[\s.,/'-]+"
_DATES = (
    # 2 March 2027, March 2, 2027, 2027 March 2, with the month as _numbers writes it.
    rf"(?P<day>\d\d?){_BETWEEN}#(?P<month>[\d,]+)#{_BETWEEN}(?P<year>\d+)",
    rf"#(?P<month>[\d,]+)#{_BETWEEN}(?P<day>\d\d?){_BETWEEN}(?P<year>\d+)",
    rf"(?P<year>\d{{4}}){_BETWEEN}#(?P<month>[\d,]+)#{_BETWEEN}(?P<day>\d\d?)",
    r"(?P<year>\d{4})\s?[-/. ]\s?(?P<month>\d\d?)\s?[-/. ]\s?(?P<day>\d\d?)",
    r"(?P<day>\d\d?)\.\s?(?P<month>\d\d?)\.\s?(?P<year>\d+)",
)
_DATE_IN_EITHER_ORDER = r"(?P<first>\d\d?)(?P<mark>[-/ ])(?P<second>\d\d?)(?P=mark)(?P<year>\d+)"


class _NotUsedError(Exception):
    """Says why a time stamp is not used, and what to do."""


def read_timestamp(
    text: str, now: datetime | None = None, zone: str = ""
) -> tuple[datetime | None, list[str]]:
    """Return the time, in UTC, on the first line of ``text`` that is not blank, and what to tell the instructor.

    The time is None where the line cannot be read, can be read in two ways, or lies before the year 2000 or more
    than a day after ``now`` (an aware time; the present by default). Only an empty text is passed over in silence.
    A time without a time zone is one of ``zone``; if this is empty, it is UTC, and that is remarked. Nothing is raised.
    """
    lines = filter(None, map(_cleaned, text.splitlines()))
    line = next(lines, "")
    if not line:
        return None, []
    shown = "".join(letter if letter.isprintable() else "?" for letter in line)[:SHOWN]
    notes = ["only the first line of the time stamp was read"] if next(lines, "") else []
    try:
        moment, remarks = _read(line, zone)
        latest = (now or datetime.now(UTC)) + timedelta(days=1)
        if not datetime(2000, 1, 1, tzinfo=UTC) <= moment <= latest:
            raise _NotUsedError("it lies before the year 2000 or in the future")
    except (OverflowError, _NotUsedError) as reason:
        return None, [f"the time stamp {shown} was not used: {reason}", *notes]
    return moment, [*(f"the time stamp {shown} {remark}" for remark in remarks), *notes]


def _cleaned(line: str) -> str:
    """Return a line without what cannot be seen, such as byte order marks and marks of direction."""
    line = unicodedata.normalize("NFKC", line.strip()[: 10 * LONGEST]).replace("\ufffd", "")
    line = "".join(
        letter for letter in line if letter.isspace() or unicodedata.category(letter) not in ("Cc", "Cf")
    )
    # Dashes, an apostrophe and an Arabic comma.
    line = line.translate(str.maketrans("\u2010\u2013\u2212\u2019\u060c", "---',"))
    return " ".join(line.split()).strip("\"'` ")


def _read(line: str, zone: str) -> tuple[datetime, list[str]]:
    """Return the time that a line names, and what is to be said of it."""
    if len(line) > LONGEST:
        raise _NotUsedError("it is too long")
    line = re.sub(_COMPACT, _spread, _without_accents(line))
    if unix := re.fullmatch(r"(\d{9,10}?)(\d{3})?(?:[.,](\d+))?", line):
        seconds, *fraction = unix.groups(default="")
        return datetime.fromtimestamp(int(seconds), UTC) + _microseconds("".join(fraction)), []
    line = re.sub(_EAST_ASIAN, r"\1-\2-\3 ", line)
    found = (re.search(pattern, line, re.IGNORECASE) for pattern in _CLOCKS)
    clock = next(filter(None, found), None)
    # Without a time of day, a zone stands after the last digit.
    start, end = clock.span() if clock else [len(re.match(r".*\d|", line)[0])] * 2
    zone_name, rest = _split_zone(line[end:])
    day, remarks = _date_of(f"{line[:start]} {rest}")
    moment = _in_utc(_local(day, clock), _zone(zone_name or _split_zone(f" {zone}")[0]))
    missing = ([] if clock else ["no time of day"]) + ([] if zone_name or zone else ["no time zone"])
    if missing:
        remarks.append(f"names {' and '.join(missing)}, and was read as {moment:%Y-%m-%d %H:%M:%S} UTC")
    return moment, remarks


def _spread(compact: re.Match) -> str:
    year, month, day, *clock = compact.groups()
    return f"{year}-{month}-{day} {':'.join(filter(None, clock))}".strip()


def _microseconds(fraction: str) -> timedelta:
    return timedelta(microseconds=int(f"{fraction:0<6.6}"))


def _local(day: date, clock: re.Match | None) -> datetime:
    """Return the day with the time of day on it, which may be 24:00."""
    part = clock.groupdict() if clock else {}
    hour, minute, second = (int(part.get(name) or 0) for name in ("hour", "minute", "second"))
    half = part.get("half")
    too_late = half and hour > 12
    if half:
        hour = hour % 12 + 12 * (half in "pP")
    since = timedelta(hours=hour, minutes=minute, seconds=second) + _microseconds(part.get("fraction") or "")
    if too_late or minute > 59 or second > 59 or since > timedelta(days=1):
        raise _NotUsedError("there is no such time of day")
    return datetime.combine(day, time()) + since


# --- time zones --------------------------------------------------------------------------------------------


def _split_zone(text: str) -> tuple[str, str]:
    """Return what names a time zone behind a time of day, and the text without it."""
    offset = re.match(_OFFSET, text)
    names = [offset["after_utc"] or offset["alone"]] if offset else []

    def take(found: re.Match) -> str:
        token, word = found[0].strip("."), _folded(found[0])
        is_name = re.search(_WORD, token) and not re.search(r"\d", token)
        if not _is_zone(token) and (not is_name or word in FILLERS.split() or word in _names("months")):
            return found[0]
        names.append(token)
        return " "

    rest = re.sub(r"[^\s,()\[\]]+", take, text[offset.end() if offset else 0 :])
    return " ".join(names), re.sub(r"[()\[\]]", " ", rest)


def _is_zone(name: str) -> bool:
    return name.casefold() in HOURS_FROM_UTC or name.casefold() in _regions()


def _zone(name: str) -> tzinfo:
    """Return the time zone that a difference to UTC, an abbreviation or a region names; UTC for no name."""
    key = name.casefold() or "utc"
    if key in HOURS_FROM_UTC:
        return timezone(timedelta(hours=HOURS_FROM_UTC[key]))
    if key in _regions():
        return zoneinfo.ZoneInfo(_regions()[key])
    if offset := re.fullmatch(r"([+-])(\d\d?):?([0-5]\d)?", key):
        ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        if ahead < timedelta(days=1):
            return timezone(-ahead if offset[1] == "-" else ahead)
    raise _NotUsedError(
        f"{name} is not the name of one time zone, so write UTC, a difference such as +01:00, or a name such as "
        "Europe/Berlin"
    )


@functools.cache
def _regions() -> dict[str, str]:
    return {name.casefold(): name for name in zoneinfo.available_timezones()}


def _in_utc(local: datetime, zone: tzinfo) -> datetime:
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first != second:
        exists = first.astimezone(zone).replace(tzinfo=None) == local
        raise _NotUsedError(
            f"clocks were changed and showed that time {'twice' if exists else 'never'}, so write it in UTC"
        )
    return first


# --- dates -------------------------------------------------------------------------------------------------


def _date_of(text: str) -> tuple[date, list[str]]:
    """Return the day that a text names, and a remark where it names another day of the week beside it."""
    text = re.sub(r"\b(\d\d?)(?:st|nd|rd|th|er|o|a|e)\b", r"\1", text, flags=re.IGNORECASE)
    first = re.match(rf"\W*({_WORD})", text)
    weekdays = _weekdays(first[1]) if first else set()
    # In several languages "mar" is March and Tuesday: in front it is a day of the week if a date follows.
    day = _day(_numbers(text[first.end() :]), weekdays) if weekdays else None
    if day and day.weekday() not in weekdays:
        return day, [f"names a day of the week that {day} is not"]
    day = day or _day(_numbers(text), set())
    if not day:
        raise _NotUsedError(
            "it is not a date in a form that is known, so write it as 2027-03-02 11:59:00 UTC"
        )
    return day, []


def _numbers(text: str) -> str:
    """Return a text with the names of months as numbers, ``#3#``, and without words that change nothing.

    A name that is July in one language and June in another becomes ``#6,7#``.
    """

    def number(found: re.Match) -> str:
        word = _folded(found[0])
        if months := _names("months").get(word):
            return f"#{','.join(map(str, months))}#"
        return " " if word in FILLERS.split() or _weekdays(word) else found[0]

    return re.sub(r"\s+", " ", re.sub(_WORD, number, text)).strip(" .,:-'")


def _day(text: str, weekdays: set[int]) -> date | None:
    """Return the day that a text of numbers names; None if it has none of the forms."""
    for pattern in _DATES:
        if found := re.fullmatch(pattern, text):
            readings = [(found["day"], month) for month in found["month"].split(",")]
            return _only(readings, found["year"], weekdays)
    if found := re.fullmatch(_DATE_IN_EITHER_ORDER, text):
        first, second = found["first"], found["second"]
        return _only([(first, second), (second, first)], found["year"], weekdays)
    return None


def _only(readings: list[tuple[str, str]], year: str, weekdays: set[int]) -> date:
    """Return the one day that the readings, each a day and a month, allow."""
    if len(year) != 4:
        raise _NotUsedError(f"its year, {year}, has not four digits, so write the date as 2027-03-02")
    days = set()
    for day, month in readings:
        with contextlib.suppress(ValueError):
            days.add(date(int(year), int(month), int(day)))
    days = {day for day in days if day.weekday() in weekdays} or days
    if not days:
        raise _NotUsedError("there is no such day")
    if len(days) > 1:
        later, earlier = sorted(days, reverse=True)
        words = " or ".join(f"{day.day} {_month(day.month)}" for day in (later, earlier))
        raise _NotUsedError(f"it can be {words}, so write it as {later} or as {earlier}")
    return days.pop()


# --- names -------------------------------------------------------------------------------------------------


def _month(number: int) -> str:
    return Locale("en").months["format"]["wide"][number]


def _weekdays(word: str) -> set[int]:
    """Return the days of the week whose names begin with a word, Monday being 0."""
    known, word = _names("days"), _folded(word)
    # One or two letters may be the beginning of anything, and one letter may be anything.
    alike = [name for name in known if name.startswith(word)] if len(word) > 2 else [word] * (len(word) > 1)
    return {day for name in alike for day in known.get(name, ())}


@functools.cache
def _names(kind: str) -> dict[str, set[int]]:
    """Return the numbers of "months" or "days" by their names, whole and abbreviated, in any of the languages."""
    # Older systems write these, and Babel does not know them.
    numbers = defaultdict(set, {"mrz": {3}, "maerz": {3}} if kind == "months" else {})
    for language in LANGUAGES.split():
        for widths in getattr(Locale.parse(language), kind).values():
            for width in ("wide", "abbreviated"):
                for number, name in widths[width].items():
                    numbers[re.split(r"[\s\u2019]", _folded(name))[-1]].add(number)
    return dict(numbers)


def _folded(word: str) -> str:
    """Return a word in small letters, without accents, the dot after it, and what sets the Turkish i apart."""
    return _without_accents(word).casefold().replace("\u0131", "i").strip(".")


def _without_accents(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text)
    return unicodedata.normalize(
        "NFC", "".join(filter(lambda letter: not unicodedata.combining(letter), letters))
    )
