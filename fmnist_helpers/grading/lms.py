"""How Moodle and Canvas call what is in an archive of submissions, and what that says of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

MOODLE, CANVAS, FOLDER = "moodle", "canvas", "folder"
_NAMES = {
    # Ada Lovelace_1234567_assignsubmission_file_/ex.ipynb, without the last _ in newer versions, or without folders
    # (then _ in place of /). The words in the middle are one or two, in the language of the site.
    MOODLE: r"(?P<name>[^/]+?)_(?P<number>\d+)_"
    r"(?:assign[a-z]+_[a-z]+|[^\W\d_]+_[^\W\d_]+|[^\W\d_]+)(?:_?/|_)(?P<file>.+)",
    # lovelaceada_LATE_12345_678910_ex-1.ipynb: who, whether it came late, the person, the file, its name and attempt.
    CANVAS: r"(?P<name>[^/]*?)(?P<late>_LATE)?_(?P<number>\d+)_(?P<sent>\d+)_(?P<file>[^/]+)",
    FOLDER: r"(?P<name>[^/]+)/(?P<file>.+)",
}
_ATTEMPT = re.compile(r"(?P<stem>.+)-(?P<attempt>\d{1,3})(?P<ending>\.ipynb)", flags=re.IGNORECASE)


@dataclass(frozen=True)
class Sent:
    """One file of an archive: who sent it, and as what."""

    lms: str
    name: str
    """The person's, as the archive writes it."""
    number: str
    """The person's, in this archive; empty in a plain folder."""
    file: str
    """Its path, as the student called it."""
    original: str
    """Its path in the archive."""
    late: bool = False
    attempt: tuple[int, int] = (0, 0)
    """The later attempt at a file of this name has the greater one."""

    @property
    def who(self) -> str:
        """The name and number by which the archive tells people apart."""
        return "_".join(filter(None, (self.name, self.number)))


def parse(path: str, lms: str) -> Sent | None:
    """Return what a path in an archive says, or None if it has not the form that this platform writes.

    An archive that somebody has packed anew may have folders around it.
    """
    parts = path.split("/")
    for start in range(len(parts)):
        inner = "/".join(parts[start:])
        if found := re.fullmatch(_NAMES[lms], inner):
            return _sent(found, path, lms)
        if lms == FOLDER:
            break
    return None


def _sent(found: re.Match, path: str, lms: str) -> Sent:
    part = found.groupdict()
    file, attempt = part["file"], 0
    if lms == CANVAS:
        # One attempt may have had the ending in capitals and the next one not.
        file = re.sub(r"\.ipynb$", ".ipynb", file, flags=re.IGNORECASE)
    if lms == CANVAS and (again := _ATTEMPT.fullmatch(file)):
        file, attempt = again["stem"] + again["ending"], int(again["attempt"])
    number = part.get("number") or ""
    order = (attempt, int(part.get("sent") or 0))
    return Sent(lms, part["name"].strip(), number, file, path, bool(part.get("late")), order)


def page_name(original: str, lms: str, assignment: str) -> str | None:
    """Return what the page of feedback must be called to find its way back, for a file of this name in the archive."""
    if lms == CANVAS:
        return (
            re.sub(r"(\.ipynb)?(\.[^./]+)?$", "", original.split("/")[-1], count=1, flags=re.IGNORECASE)
            + ".html"
        )
    if lms == MOODLE and (sent := parse(original, lms)):
        inner = original[: len(original) - len(sent.file)].split("/")
        return (
            "/".join(inner[-2:] if original[-len(sent.file) - 1] == "/" else inner[-1:])
            + f"{assignment}.html"
        )
    return None
