"""Who is who: reads the table of people that a learning platform writes, and finds in it whom an archive means."""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fmnist_helpers.atomic import written_whole
from fmnist_helpers.grading.handed_in import LARGEST_FILE
from fmnist_helpers.grading.times import read_timestamp

ROLES = {
    "user": "username user loginid login sislogin sisloginid anmeldename benutzername nomdutilisateur nombredeusuario",
    "email": "emailaddress email mail emailadresse adressedecourriel direcciondecorreo correoelectronico",
    "id": "idnumber sisuserid sisid studentid studentnumber idnummer matrikelnummer numerodidentification numerodeid",
    "number": "identifier id kennung identifiant identificador identificativo",
    "name": "fullname name student vollstandigername nomcomplet nombrecompleto",
    "first": "firstname givenname vorname prenom nombre",
    "last": "lastname surname familyname nachname nomdefamille apellidos",
    "handed in": "lastmodifiedsubmission zuletztgeandertabgabe submittedat",
}
"""What a column holds → how it may be called, in small letters alone."""

PARTICIPANT = re.compile(r"(?:\D{5,}|[^\x00-\x7f]\D+)\d+")
"""Moodle's ``Participant 1234567``, in any language: a number that is another one in each assignment."""


class TableError(ValueError):
    """A table cannot be read, or does not hold what is needed; the message says what."""


@dataclass(frozen=True)
class Person:
    """Somebody in the table."""

    keys: tuple[str, ...]
    """User name, e-mail address and IDs, as far as they are known: what their folder may be called.

    Canvas's own ID is one only where there is nothing else: somebody else's ID of the school may be the same number."""
    number: str = ""
    """What an archive calls them beside their name: Moodle's participant or Canvas's ID."""
    name: str = ""
    first: str = ""
    last: str = ""
    email: str = ""
    handed_in: str = ""
    """When, as the platform writes it."""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.name, f"({self.keys[0]})" if self.keys else "")))


@dataclass
class Table:
    """A table as a platform wrote it, and how."""

    header: list[str]
    rows: list[list[str]]
    encoding: str = "utf-8"
    delimiter: str = ","
    newline: str = "\n"

    def people(self) -> list[Person | None]:
        """Return who stands in each row, or None where that is nobody, as in Canvas's row of points.

        Raises:
            TableError: if no column tells who somebody is.
        """
        columns = self.columns()
        who = [columns[role] for role in ("user", "email", "id", "number", "name", "last") if role in columns]
        if not who:
            raise TableError(
                f"no column of {', '.join(self.header)[:200]} tells who somebody is, such as Email address, "
                "Username, ID number or SIS Login ID"
            )
        keyed = any(role in columns for role in ("user", "email", "id", "number"))
        people = [_person(row, columns) for row in self.rows]
        return [one if one.keys or one.number or (one.name and not keyed) else None for one in people]

    def columns(self) -> dict[str, int]:
        """Return what is held → the number of the first column that holds it."""
        names = [squashed(name) for name in self.header]
        found = {}
        for role, known in ROLES.items():
            if places := [number for number, name in enumerate(names) if name in known.split()]:
                found[role] = places[0]
        if "email" not in found:
            for number in range(len(self.header)):
                if (cells := [row[number] for row in self.rows if row[number]]) and all(
                    "@" in c for c in cells
                ):
                    found["email"] = number
        if "handed in" not in found and (number := self._first_of_two_times()) is not None:
            found["handed in"] = number
        return found

    def _first_of_two_times(self) -> int | None:
        """Return the first of the two columns in which Moodle, in any language, says when something was changed last.

        The second says so of the grade: ``Last modified (submission)``, ``Last modified (grade)``.
        """
        titles = [name.partition("(")[0].strip() if name.endswith(")") else "" for name in self.header]
        for number, title in enumerate(titles):
            cells = [cell for row in self.rows if (cell := row[number].strip(" -"))]
            if title and titles.count(title) == 2 and all(read_timestamp(cell)[0] for cell in cells):
                return number
        return None

    def write(self, path: Path) -> None:
        """Write the table as it was read: its encoding, delimiter and line ends."""
        text = io.StringIO()
        writer = csv.writer(text, delimiter=self.delimiter, lineterminator=self.newline)
        writer.writerows([self.header, *self.rows])
        with written_whole(path) as unfinished:
            unfinished.write_bytes(text.getvalue().encode(self.encoding))


def read_table(path: Path) -> Table:
    """Return a table in any usual encoding, with commas, semicolons or tabs between its cells.

    Raises:
        TableError: if it is none.
    """
    with open(path, "rb") as file:
        data = file.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise TableError(f"{path} is larger than {LARGEST_FILE // 2**20} MB")
    # A picture that a student pasted into Moodle's editor stands in its cell as text.
    csv.field_size_limit(max(csv.field_size_limit(), LARGEST_FILE))
    text, encoding = _decoded(data)
    first = text.splitlines()[0] if text.strip() else ""
    delimiter = max(",;\t", key=lambda mark: len(next(csv.reader([first], delimiter=mark), [])))
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise TableError(f"{path} is no table of comma-separated values ({error})") from None
    if len(rows) < 2 or "\0" in text:
        raise TableError(
            f"{path} is no table of comma-separated values with a line of names and one for each person"
        )
    width = max(map(len, rows))
    # A line may end before its last columns, if they are empty.
    header, *rows = [row + [""] * (width - len(row)) for row in rows if row]
    return Table(header, rows, encoding, delimiter, "\r\n" if "\r\n" in text else "\n")


def _decoded(data: bytes) -> tuple[str, str]:
    marks = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
    first = next((encoding for mark, encoding in marks.items() if data.startswith(mark)), "utf-8")
    for encoding in (first, "cp1252"):
        try:
            return data.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1"), "latin-1"


def _person(row: list[str], columns: dict[str, int]) -> Person:
    # A spreadsheet, or a program that is wary of one, puts an apostrophe in front.
    cells = {role: row[number].strip().removeprefix("'") for role, number in columns.items()}
    number = cells.get("number", "")
    keys = [cells[role] for role in ("user", "email", "id") if cells.get(role)]
    if not keys and not PARTICIPANT.fullmatch(number):
        keys = [number]
    first, last = cells.get("first", ""), cells.get("last", "")
    return Person(
        keys=tuple(dict.fromkeys(filter(None, keys))),
        number=re.sub(r"\D", "", number),
        # Of a submission without a name, Moodle tells only which participant sent it.
        name=cells.get("name") or f"{first} {last}".strip() or ("" if any(keys) else number),
        first=first,
        last=last,
        email=cells.get("email", ""),
        handed_in=cells.get("handed in", ""),
    )


# --- the join --------------------------------------------------------------------------------------------------


class People:
    """The people of a class, to be found by what an archive or a folder calls them."""

    def __init__(self, people: Iterable[Person | None] = ()) -> None:
        self.all = list(dict.fromkeys(filter(None, people)))
        self._numbers, self._keys, self._names = defaultdict(list), defaultdict(list), defaultdict(list)
        for person in self.all:
            if person.number:
                self._numbers[person.number].append(person)
            for key in dict.fromkeys(map(same, person.keys)):
                self._keys[key].append(person)
            for name in name_forms(person.name):
                self._names[name].append(person)

    def find(self, name: str, number: str = "") -> tuple[Person | None, str]:
        """Return who is meant and by what they were found ("number", "key" or "name"), or None and why nobody is."""
        # A plain folder may be called by what an archive would have beside the name.
        by_key = self._keys.get(same(name)) or self._numbers.get(name, [])
        ways = [("number", self._numbers.get(number, [])), ("key", by_key)]
        by_name = [self._names[form] for form in sorted(name_forms(name)) if form in self._names]
        ways.append(("name", list(dict.fromkeys(person for people in by_name for person in people))))
        for way, people in ways:
            if len(people) == 1:
                return people[0], way
            if people:
                return None, f"{len(people)} people of the list have this {way}"
        return (
            None,
            "nobody of the list has this name or number" if self.all else "there is no list of people",
        )

    def named(self, name: str) -> list[Person]:
        """Return everybody who has this name, first or last name in front."""
        return [one for one in self.all if name_forms(one.name) & name_forms(name)]

    def label(self, person: Person) -> str:
        """Return what somebody without keys may be called: the name, with the number where others have that name."""
        namesakes = {one for form in name_forms(person.name) for one in self._names[form]}
        return person.name if len(namesakes) == 1 else "_".join(filter(None, (person.name, person.number)))

    def doubles(self) -> list[str]:
        """Return a sentence for each key that more than one row has."""
        return [
            f"{len(people)} rows of the list have the {what} {key}: {', '.join(map(str, people))}"
            for what, index in (("number", self._numbers), ("key", self._keys))
            for key, people in index.items()
            if len(people) > 1
        ]


def same(text: str) -> str:
    """Return a key in the form in which two are compared."""
    return unicodedata.normalize("NFC", text).strip().casefold()


def squashed(text: str) -> str:
    """Return a text without accents, capitals, blanks and marks."""
    letters = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in letters if letter.isalnum())


def name_forms(name: str) -> set[str]:
    """Return a name as platforms may write it, first or last name in front, squashed."""
    words = [word for word in re.split(r"[\s,]+", name) if squashed(word)]
    return {squashed("".join(words[turn:] + words[:turn])) for turn in range(len(words))}
