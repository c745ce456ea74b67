"""Time stamps in every form that people and programs write: read exactly, or not used and told."""

from __future__ import annotations

import email.utils
import re
import zoneinfo
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from fmnist_helpers.grading.times import HOURS_FROM_UTC, LANGUAGES, read_timestamp

NOW = datetime(2030, 1, 1, tzinfo=UTC)
NOON = "2027-03-02 11:59:00"

offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(2000, 1, 2), datetime(2029, 12, 31), timezones=offsets)
seconds = moments.map(lambda moment: moment.replace(microsecond=0))


def read(text: str) -> datetime | None:
    return read_timestamp(text, NOW)[0]


def told(text: str) -> str:
    """Return what is told of a stamp that must not be used."""
    moment, notes = read_timestamp(text, NOW)
    assert moment is None
    return "\n".join(notes)


# --- forms whose time is exact, and nothing is told --------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2027-03-02 11:59:00.123456 UTC", "2027-03-02 11:59:00.123456"),
        ("2027-03-02 11:59:00.123456 America/Los_Angeles", "2027-03-02 19:59:00.123456"),
        ("2027-07-02 11:59:00 America/Los_Angeles", "2027-07-02 18:59:00"),
        ("2027-03-02 11:59:00 +0100", "2027-03-02 10:59:00"),
        ("2027-03-02 11:59 +01", "2027-03-02 10:59:00"),
        ("2027-03-02T11:59:00.5Z", "2027-03-02 11:59:00.5"),
        ("2027-03-02T11:59:00,123456789+05:30", "2027-03-02 06:29:00.123456"),
        ("20270302T115900Z", NOON),
        ("2027-03-02T24:00Z", "2027-03-03 00:00:00"),
        ("2027-03-02 11:59:00.123456789 +0100 CET", "2027-03-02 10:59:00.123456"),
        ("2027-03-02T11:59+05:30[Asia/Kolkata]", "2027-03-02 06:29:00"),
        ("2027-03-02 11:59 +0530 IST", "2027-03-02 06:29:00"),
        ("Tue Mar 02 2027 11:59:00 GMT+0100 (Central European Standard Time)", "2027-03-02 10:59:00"),
        ("02/Mar/2027:11:59:00 +0100", "2027-03-02 10:59:00"),
        ("mardi 2 mars 2027, 11:59:00 (UTC+0100)", "2027-03-02 10:59:00"),
        ("Di 2. Mär 11:59:00 CET 2027", "2027-03-02 10:59:00"),
        ("mar 2 mar 2027, 11:59:00, CET", "2027-03-02 10:59:00"),
        ("wto, 2 mar 2027, 11:59:00 MEZ", "2027-03-02 10:59:00"),
        ("śro, 14 lip 2027, 11:59:00 CEST", "2027-07-14 09:59:00"),
        ("Tue 03/02/2027 11:59:00.12 UTC", "2027-03-02 11:59:00.12"),
        ("2 de marzo de 2027 a las 11:59 UTC", NOON),
        ("March 2nd, 2027 at 11:59 p.m. EST", "2027-03-03 04:59:00"),
        ("2027-03-02 12:30 AM UTC", "2027-03-02 00:30:00"),
        ("le 1er mars 2027 à 11h59 UTC", "2027-03-01 11:59:00"),
        ("1 d’abril del 2027, 11:59 UTC", "2027-04-01 11:59:00"),  # noqa: RUF001
        ("2. 3. 2027 klo 11.59 UTC", NOON),
        ("2. Mrz 2027, 11 Uhr UTC", "2027-03-02 11:00:00"),
        ("2027. március 2., 11:59 UTC", NOON),
        ("2 марта 2027 г. в 11:59 UTC", NOON),  # noqa: RUF001
        ("2027年3月2日 11:59 UTC", NOON),
        ("2027. 3. 2. 11:59 UTC", NOON),
        ("11:59 UTC 02.03.2027", NOON),
        ("25/12/2027 11:59 UTC", "2027-12-25 11:59:00"),
        ("12-25-2027 11:59 UTC", "2027-12-25 11:59:00"),
        ("03/03/2027 11:59 UTC", "2027-03-03 11:59:00"),
        ("1803988740", NOON),
        ("1803988740.25", "2027-03-02 11:59:00.25"),
        ("1803988740123", "2027-03-02 11:59:00.123"),
        ("2027-10-31 02:30 CEST", "2027-10-31 00:30:00"),
    ],
)
def test_exact_form_is_read_and_nothing_is_told(text, expected):
    assert read_timestamp(text, NOW) == (datetime.fromisoformat(expected).replace(tzinfo=UTC), [])


@given(moments, st.sampled_from([":", ""]), st.sampled_from("T "), st.sampled_from(["", " "]))
def test_iso_8601_agrees_with_python(moment, colon, separator, blank):
    text = moment.isoformat(separator)
    clock, offset = text[:-6], text[-6:].replace(":", colon)
    assert read_timestamp(clock + blank + offset, NOW) == (datetime.fromisoformat(clock + offset), [])


@given(moments.map(lambda moment: moment.astimezone(UTC)))
def test_nbgraders_own_form_comes_back(moment):
    assert read_timestamp(moment.strftime("%Y-%m-%d %H:%M:%S.%f %Z"), NOW) == (moment, [])


@given(seconds)
def test_rfc_2822_agrees_with_python(moment):
    text = email.utils.format_datetime(moment)
    assert read_timestamp(text, NOW) == (email.utils.parsedate_to_datetime(text), [])


@given(seconds, st.integers(0, 999))
def test_unix_time_comes_back(moment, milliseconds):
    text = str(int(moment.timestamp()))
    assert read(text) == moment
    assert read(f"{text}{milliseconds:03d}") == moment + timedelta(milliseconds=milliseconds)


FORMATS = (
    *("%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y%m%dT%H%M%S", "%Y%m%d%H%M%S", "%Y-%m-%d-%H-%M-%S"),
    *("%d.%m.%Y %H:%M:%S", "%H:%M:%S %d.%m.%Y", "%d.%m.%Y, %I:%M:%S %p", "%A, %d.%m.%Y %H:%M:%S"),
    *("%a %b %d %H:%M:%S %Y", "%A, %B %d, %Y %I:%M:%S %p", "%d %B %Y %H:%M:%S", "%d-%b-%Y %H:%M:%S"),
    *("%Y %b %d %I:%M:%S%p", "%B %d %Y at %H:%M:%S", "%d. %B %Y um %H:%M:%S Uhr"),
)


@given(seconds, st.sampled_from(FORMATS))
def test_form_without_zone_is_read_as_utc_and_told(moment, form):
    moment = moment.replace(tzinfo=UTC)
    found, notes = read_timestamp(moment.strftime(form), NOW)
    assert found == moment
    [note] = notes
    assert "names no time zone, and was read as" in note and f"{moment:%Y-%m-%d %H:%M:%S} UTC" in note


def test_day_alone_is_its_beginning_and_told():
    found, [note] = read_timestamp("2. März 2027", NOW)
    assert found == datetime(2027, 3, 2, tzinfo=UTC)
    assert note == (
        "the time stamp 2. März 2027 names no time of day and no time zone, and was read as 2027-03-02 00:00:00 UTC"
    )
    assert read("2027-03-02 CET") == datetime(2027, 3, 1, 23, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "+01:00", "UTC+1", "CET"])
def test_a_zone_that_is_given_counts_where_the_time_names_none(zone):
    noon = datetime(2027, 3, 2, 12, tzinfo=UTC)
    assert read_timestamp("2027-03-02 13:00\nby mail", NOW, zone) == (
        noon,
        ["only the first line of the time stamp was read"],
    )
    assert read_timestamp("2027-03-02 12:00 UTC", NOW, zone) == (noon, [])
    assert read_timestamp("2027-03-02", NOW, zone)[1] == [
        "the time stamp 2027-03-02 names no time of day, and was read as 2027-03-01 23:00:00 UTC"
    ]


@given(st.dates(date(2000, 1, 2), date(2029, 12, 31)), st.sampled_from("/- "))
def test_day_and_month_are_read_only_where_one_reading_exists(day, mark):
    text = f"{day.day:02d}{mark}{day.month:02d}{mark}{day.year} 10:00 UTC"
    if day.day > 12 or day.day == day.month:
        assert read(text) == datetime(day.year, day.month, day.day, 10, tzinfo=UTC)
    else:
        other = date(day.year, day.day, day.month)
        assert f"so write it as {max(day, other)} or as {min(day, other)}" in told(text)


def test_what_two_readings_are_is_told():
    assert told("02/03/2027 11:59") == (
        "the time stamp 02/03/2027 11:59 was not used: it can be 2 March or 3 February, so write it as 2027-03-02 or "
        "as 2027-02-03"
    )


# --- languages ---------------------------------------------------------------------------------------------

MONTHS = {
    "English": "January February March April May June July August September October November December",
    "German": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "Austrian": "Jänner Februar März April Mai Juni Juli August September Oktober November Dezember",
    "French": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "Spanish": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "Italian": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "Portuguese": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "Dutch": "januari februari maart april mei juni juli augustus september oktober november december",
    "Swedish": "januari februari mars april maj juni juli augusti september oktober november december",
    "Polish": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
    "Czech": "ledna února března dubna května června července srpna září října listopadu prosince",
    "Turkish": "Ocak Şubat Mart Nisan Mayıs Haziran Temmuz Ağustos Eylül Ekim Kasım Aralık",  # noqa: RUF001
    "Russian": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "Greek": "Ιανουαρίου Φεβρουαρίου Μαρτίου Απριλίου Μαΐου Ιουνίου Ιουλίου Αυγούστου Σεπτεμβρίου Οκτωβρίου "
    "Νοεμβρίου Δεκεμβρίου",
}


@pytest.mark.parametrize("language", MONTHS)
def test_months_have_their_names_in_the_languages_students_write(language):
    for number, name in enumerate(MONTHS[language].split(), start=1):
        # That one is November in Polish and October in Croatian.
        expected = None if name == "listopada" else datetime(2027, number, 2, 11, 59, tzinfo=UTC)
        for written in (name, name.upper(), name.capitalize()):
            assert read(f"2 {written} 2027 11:59 UTC") == expected, written
            assert read(f"2. {written} 2027, 11:59 UTC") == expected, written


def test_month_of_two_languages_is_told():
    assert "it can be 2 November or 2 October" in told("2 listopada 2027")
    # The year's days of the week, and the lengths of months, can tell them apart.
    assert read("31. listopada 2027") == datetime(2027, 10, 31, tzinfo=UTC)
    assert read("wtorek, 2 listopada 2027") == datetime(2027, 11, 2, tzinfo=UTC)


def test_other_day_of_the_week_is_told():
    found, notes = read_timestamp("Mon, 2 Mar 2027 11:59:00 UTC", NOW)
    assert found == datetime(2027, 3, 2, 11, 59, tzinfo=UTC)
    assert notes == [
        "the time stamp Mon, 2 Mar 2027 11:59:00 UTC names a day of the week that 2027-03-02 is not"
    ]


@pytest.mark.parametrize("language", LANGUAGES.split())
def test_afternoon_in_any_language_is_never_read_as_morning(language):
    widths = Locale.parse(language).day_periods["format"]
    for name in {widths[width].get("pm", "PM") for width in ("wide", "abbreviated")}:
        for text in (f"2027-03-14 {name} 3:09 UTC", f"2027-03-14 3:09 {name} UTC"):
            found = read(text)
            assert found is None or found.hour == 15, text


# --- time zones --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(zoneinfo.available_timezones()))
def test_region_is_read_as_zoneinfo_reads_it(name):
    for month in (1, 7):
        local = datetime(2027, month, 15, 12, tzinfo=zoneinfo.ZoneInfo(name))
        # An abbreviation such as CET is one difference all year round, also where it is a region's name.
        hours = HOURS_FROM_UTC.get(name.lower())
        expected = local if hours is None else local.replace(tzinfo=timezone(timedelta(hours=hours)))
        assert read_timestamp(f"2027-{month:02d}-15 12:00 {name}", NOW) == (expected, [])


PLACES = {
    **{"hst": "Pacific/Honolulu", "akst": "America/Anchorage", "akdt": "America/Anchorage"},
    **{"pst": "America/Los_Angeles", "pdt": "America/Los_Angeles", "mst": "America/Denver"},
    **{"mdt": "America/Denver", "est": "America/New_York", "edt": "America/New_York", "wet": "Europe/Lisbon"},
    **{"west": "Europe/Lisbon", "cet": "Europe/Berlin", "cest": "Europe/Berlin", "eet": "Europe/Athens"},
    **{"eest": "Europe/Athens", "msk": "Europe/Moscow", "sast": "Africa/Johannesburg", "pkt": "Asia/Karachi"},
    **{"wib": "Asia/Jakarta", "hkt": "Asia/Hong_Kong", "awst": "Australia/Perth", "jst": "Asia/Tokyo"},
    **{
        "kst": "Asia/Seoul",
        "aest": "Australia/Sydney",
        "aedt": "Australia/Sydney",
        "nzst": "Pacific/Auckland",
    },
    **{"nzdt": "Pacific/Auckland", "gmt": "Europe/London"},
}
"""Where clocks show a zone with this abbreviation for a part of the year."""


@pytest.mark.parametrize("abbreviation", sorted(HOURS_FROM_UTC))
def test_abbreviation_is_what_clocks_show_somewhere(abbreviation):
    same = {"mez": "cet", "mesz": "cest", **dict.fromkeys(("z", "ut", "utc", "tu"), "gmt")}
    name = same.get(abbreviation, abbreviation)
    days = [datetime(2027, month, 15, 12, tzinfo=zoneinfo.ZoneInfo(PLACES[name])) for month in (1, 7)]
    [local, *_] = [day for day in days if day.tzname() == name.upper()]
    assert read(f"{local:%Y-%m-%d %H:%M} {abbreviation.upper()}") == local


@pytest.mark.parametrize(
    "zone", ["IST", "CST", "BST", "AST", "XYZ", "Europe/Berln", "noon", "+2500", "+01:00 PM"]
)
def test_zone_that_is_not_one_is_told(zone):
    assert f"{zone} is not the name of one time zone, so write UTC" in told(f"2027-03-02 11:59 {zone}")


def test_hour_that_clocks_showed_twice_or_never_is_told():
    assert "showed that time never" in told("2027-03-28 02:30 Europe/Berlin")
    assert "showed that time twice" in told("2027-10-31 02:30 Europe/Berlin")


# --- what is not used --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("31.02.2027", "there is no such day"),
        ("31/02/2027", "there is no such day"),
        ("12.25.2027", "there is no such day"),
        ("2027-02-29 UTC", "there is no such day"),
        ("0000-01-01", "there is no such day"),
        ("2027-03-02 24:01", "there is no such time of day"),
        ("2027-03-02 25:61", "there is no such time of day"),
        ("2027-03-02 11:60", "there is no such time of day"),
        ("2027-03-02 11:59:60 UTC", "there is no such time of day"),
        ("2027-03-02 13:00 PM", "there is no such time of day"),
        ("02.03.27 11:59", "its year, 27, has not four digits"),
        ("2/3/27", "its year, 27, has not four digits"),
        ("2 March 27", "its year, 27, has not four digits"),
        ("1999-12-31 23:59 UTC", "before the year 2000 or in the future"),
        ("915148800", "before the year 2000 or in the future"),
        ("2030-01-02 00:00:01 UTC", "before the year 2000 or in the future"),
        ("9999-12-31T24:00-12:00", "out of range"),
        ("0001-01-01T00:00+05:00", "out of range"),
        ("yesterday", "not a date in a form that is known"),
        ("11:59", "not a date in a form that is known"),
        ("2027-03", "not a date in a form that is known"),
        ("Mar 2 11:59", "not a date in a form that is known"),
        ("2027-03-02 AM 12:30", "not a date in a form that is known"),
        ("2027-03-02T11:59:00 01:00", "not a date in a form that is known"),
        ("2027-03-02-03:00", "not a date in a form that is known"),
        ("12345", "not a date in a form that is known"),
        ("2027-03-02 UTC" + " " * 10 + "x" * 300, "it is too long"),
    ],
)
def test_stamp_that_is_not_used_is_told(text, reason):
    shown = re.sub(" +", " ", text)[:60]
    assert told(text).startswith(f"the time stamp {shown} was not used: ")
    assert reason in told(text)


def test_a_day_ahead_is_a_clock_that_goes_wrong_and_used():
    assert read("2030-01-02 00:00:00 UTC") == datetime(2030, 1, 2, tzinfo=UTC)
    tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=23)
    assert read_timestamp(str(tomorrow)) == (tomorrow, [])
    assert read_timestamp(str(tomorrow + timedelta(hours=2)))[0] is None


# --- files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff2027-03-02 11:59:00 UTC\r\n",
        "\r\n\r\n  2027-03-02\u00a011:59:00\tUTC  \r\n\r\n",
        "\u200e2027\u200e-\u200e03\u200e-\u200e02 11:59\u202fAM UTC",
        "2027-03-02 11:59:00 UTC\n".encode("utf-16").decode("utf-8", "replace"),
        "2027\uff0d03\uff0d02 11:59:00 UTC",
        "2027\u201003\u201002 11:59 \u221200:00",
        '"2027-03-02 11:59:00 UTC"',
    ],
)
def test_what_cannot_be_seen_changes_nothing(text):
    assert read_timestamp(text, NOW) == (datetime(2027, 3, 2, 11, 59, tzinfo=UTC), [])


@pytest.mark.parametrize("text", ["", " \r\n\t\n", "\ufeff\n", "\x00"])
def test_empty_text_is_passed_over_in_silence(text):
    assert read_timestamp(text) == (None, [])


def test_further_lines_are_told():
    assert read_timestamp("\n2027-03-02 11:59:00 UTC\n\nlate because of the train", NOW) == (
        datetime(2027, 3, 2, 11, 59, tzinfo=UTC),
        ["only the first line of the time stamp was read"],
    )


PIECES = (
    "2 02 3 27 2027 1803988740 99 11:59 24:00 :00 .5 / - . , # #3# T Z AM p.m. UTC + +01 -0100 CET IST Europe/Berlin "
    "March mar listopada Tue um de 年 月 日 ( ) [ ] 0001 9999 ٣"
)
pieces = st.sampled_from(PIECES.split())


@given(st.text() | st.lists(pieces | st.text(max_size=2) | st.just(" "), max_size=12).map("".join))
def test_no_text_raises_or_is_passed_over(text):
    found, notes = read_timestamp(text, NOW)
    assert found is None or (found.utcoffset() == timedelta(0) and 2000 <= found.year <= NOW.year)
    assert found or notes or not text.strip() or not re.search(r"\w", text)
    assert all(note.isprintable() and len(note) < 300 for note in notes)


def test_lone_surrogates_and_a_long_line_are_no_trouble():
    assert told("\ud800 2027").startswith("the time stamp ? 2027 was not used")
    assert told("x" * 10**7).endswith("it is too long")
    assert read(" " * 10**6 + "2027-03-02") == datetime(2027, 3, 2, tzinfo=UTC)
