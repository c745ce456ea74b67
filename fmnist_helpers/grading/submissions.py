"""Finds what was handed in: who the students are, and which of their files is the notebook to grade."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from nbformat import NotebookNode

from fmnist_helpers.grading import inert
from fmnist_helpers.grading.handed_in import HandedIn, clean_name, read_folder, shown
from fmnist_helpers.grading.handout import Handout, grade_id
from fmnist_helpers.grading.reading import UnreadableError, about, decode, read_cells
from fmnist_helpers.grading.repair import repair
from fmnist_helpers.grading.times import read_timestamp

MOST_CANDIDATES = 20
STAMP = "timestamp.txt"
SECRET = "submission_secret.txt"
"""What nbgrader's exchange puts beside a notebook: the name of a page of feedback follows from it."""
NOTEBOOK_NAME = re.compile(r"\.ipynb(\W.*)?$", flags=re.IGNORECASE)
"""Browsers and mail programs put an ending of their own behind it: ``.ipynb.json``, ``.ipynb.txt``, ``.ipynb (1)``."""


@dataclass
class Submission:
    """What one student handed in for one assignment.

    ``problem`` is "not submitted" or "unreadable" where there is nothing to grade, with the reason in ``notes``.
    """

    student: str
    assignment: str
    notebook: NotebookNode | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    """What goes with the notebook, by its path below it."""
    time: datetime | None = None
    """When it was handed in, if that is known; UTC."""
    secret: str = ""
    """What the exchange gave it, if it came that way."""
    digest: str = ""
    """Hash of everything that can change the marks."""
    problem: str = ""
    notes: list[str] = field(default_factory=list)
    """What an instructor should know, such as cells that were repaired."""


def students(submitted: Path) -> dict[str, list[Path]]:
    """Return the id of each student who has a folder → the folder; two names may look the same and be one student."""
    found: dict[str, list[Path]] = {}
    for path in sorted(submitted.iterdir() if submitted.is_dir() else []):
        hidden = path.name.startswith(".") and not any(map(_is_folder, _entries(path)))
        if path.is_dir() and not hidden:
            found.setdefault(clean_name(path.name), []).append(path)
    return dict(sorted(found.items()))


class Finder:
    """Finds what the students of a class handed in.

    Args:
        submitted: holds a folder for each student.
        handouts: name of each assignment → what students got.
    """

    def __init__(self, submitted: Path, handouts: Mapping[str, Handout]) -> None:
        self.students = students(submitted)
        self.handouts = handouts

    def assignments(self) -> list[str]:
        """Return the names of those for which anybody has handed in anything."""
        return [name for name in self.handouts if any(self._has(student, name) for student in self.students)]

    def _has(self, student: str, assignment: str) -> bool:
        folders = self.students[student]
        return bool(_folders_for(folders, assignment)) or bool(self._strays(folders, assignment).files)

    def find(self, student: str, assignment: str) -> Submission:
        """Find and read a submission; never raises for what a student did."""
        submission = Submission(student, assignment)
        handed_in = self._hand_in(self.students.get(student, []), assignment, submission.notes)
        if handed_in is None:
            submission.problem = "unreadable" if submission.notes else "not submitted"
            return submission
        submission.time = _take_time(handed_in, submission.notes)
        submission.secret = _take_secret(handed_in)
        submission.notes += handed_in.notes
        submission.digest = handed_in.digest()
        _choose(submission, handed_in, self.handouts[assignment])
        return submission

    def _hand_in(self, folders: list[Path], assignment: str, notes: list[str]) -> HandedIn | None:
        """Return everything that a student handed in for an assignment, or None if there is nothing at all."""
        notes += [
            f"{shown(folder.name)} was not read: it is a link" for folder in folders if folder.is_symlink()
        ]
        places = _folders_for(folders, assignment)
        if len(places) > 1:
            notes.append(f"there are {len(places)} folders for it; all of them were looked into")
        handed_in = HandedIn()
        for number, place in enumerate(places):
            read_folder(place, handed_in, f"{number + 1}/" if len(places) > 1 else "")
        if places and (handed_in.files or handed_in.left_out):
            return handed_in
        strays = self._strays(folders, assignment)
        if strays.files:
            notes.append("it lay outside of a folder for the assignment")
            return strays
        return handed_in if places else None

    def _strays(self, folders: list[Path], assignment: str) -> HandedIn:
        """Return what lies in a student's folder outside of any assignment's, if a notebook of this one is there."""
        handed_in = HandedIn()
        for folder in folders:
            entries = _entries(folder)
            known = [one.name for one in entries if any(_same(one.name, name) for name in self.handouts)]
            if len(known) < len(entries):
                read_folder(folder, handed_in, without=known)
        candidates, _ = _candidates(handed_in, assignment)
        named = any(clean_name(path).casefold().startswith(assignment.casefold()) for path in handed_in.files)
        handout = self.handouts[assignment]
        if named or any(handout.is_of(one.cells) for one in candidates):
            return handed_in
        return HandedIn()


def _folders_for(folders: list[Path], assignment: str) -> list[Path]:
    return [
        path
        for folder in folders
        for path in _entries(folder)
        if _same(path.name, assignment) and (_is_folder(path) or path.is_symlink())
    ]


def _entries(folder: Path) -> list[Path]:
    # A student's folder that is a link leads to somebody else's work.
    if folder.is_symlink():
        return []
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _same(name: str, assignment: str) -> bool:
    return clean_name(name).casefold() == clean_name(assignment).casefold()


def _take_time(handed_in: HandedIn, notes: list[str]) -> datetime | None:
    """Take the time stamp out of what was handed in: the collecting program's, not one in a student's archive."""
    times = []
    for path in _collected(handed_in, STAMP):
        try:
            text, _ = decode(handed_in.files.pop(path)[:10_000])
        except UnreadableError as error:
            notes.append(f"{STAMP} was not used: {error}")
            continue
        time, remarks = read_timestamp(text)
        notes += remarks
        times += [time] if time is not None else []
    return max(times, default=None)


def _take_secret(handed_in: HandedIn) -> str:
    """Take the exchange's secret out of what was handed in; an empty text if there is none that nbgrader could read."""
    found = [handed_in.files.pop(path).strip() for path in _collected(handed_in, SECRET)]
    return next((one.decode() for one in found if re.fullmatch(rb"[0-9a-f]{32,512}", one)), "")


def _collected(handed_in: HandedIn, name: str) -> list[str]:
    """Return the paths of what the collecting program put there under this name."""
    return [path for path in handed_in.files if re.fullmatch(rf"(\d+/)?{name}", path, re.IGNORECASE)]


# --- which file ------------------------------------------------------------------------------------------------


@dataclass
class _Candidate:
    path: str
    cells: list[NotebookNode]
    notes: list[str]


def _choose(submission: Submission, handed_in: HandedIn, handout: Handout) -> None:
    candidates, refused = _candidates(handed_in, submission.assignment)
    if not candidates:
        submission.problem = "unreadable" if refused or handed_in.left_out else "not submitted"
        submission.notes += refused or [_what_there_is(handed_in)]
        return

    def rank(one: _Candidate) -> tuple:
        return (
            # As long as all is empty, the name and the time decide.
            *handout.work(one.cells),
            _is_named(one.path, submission.assignment),
            handed_in.times[one.path],
        )

    chosen = max(candidates, key=rank)
    submission.notes += [*_about_choice(chosen, candidates, submission.assignment, handout), *refused]
    submission.notes += chosen.notes
    try:
        submission.notebook, repairs = repair(chosen.cells, handout)
    except Exception as error:
        submission.problem = "unreadable"
        submission.notes.append(f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}")
        return
    submission.files = _beside(chosen.path, handed_in.files)
    # Answers first: all texts of a notebook have a bound.
    texts = sorted(submission.notebook.cells, key=lambda cell: not grade_id(cell))
    submission.notes += [*repairs, *inert.texts(texts, submission.files)]


def _candidates(handed_in: HandedIn, assignment: str) -> tuple[list[_Candidate], list[str]]:
    """Return the notebooks, and why what has the name of one is none."""
    paths = [path for path in handed_in.files if NOTEBOOK_NAME.search(path)]
    # A notebook may have lost its ending altogether.
    paths += [
        path
        for path, content in handed_in.files.items()
        if path not in paths
        and content[:1000].lstrip(b"\xef\xbb\xbf\xff\xfe\0 \r\n\t")[:1] == b"{"
        and b"cells" in content.replace(b"\0", b"")
    ]
    paths.sort(key=lambda path: (not _is_named(path, assignment), -handed_in.times[path]))
    candidates, refused = [], []
    for path in paths[:MOST_CANDIDATES]:
        try:
            candidates.append(_Candidate(path, *read_cells(handed_in.files[path])))
        except UnreadableError as error:
            refused.append(f"{shown(path)}: {error}")
    return candidates, refused


def _is_named(path: str, assignment: str) -> bool:
    return path.split("/")[-1].casefold() == f"{assignment}.ipynb".casefold()


def _about_choice(
    chosen: _Candidate, candidates: list[_Candidate], assignment: str, handout: Handout
) -> list[str]:
    notes = []
    if chosen.path != f"{assignment}.ipynb":
        notes.append(f"the notebook is called {shown(chosen.path)}")
    if len(candidates) > 1:
        written = [one for one in candidates if one is not chosen and handout.work(one.cells)[0]]
        others = f"; {shown(written[0].path)} holds work, too" if written else ""
        notes.append(f"{len(candidates)} notebooks; {shown(chosen.path)} was graded{others}")
    return notes


def _what_there_is(handed_in: HandedIn) -> str:
    if not handed_in.files:
        return "the folder is empty"
    names = [about(path, content) for path, content in list(handed_in.files.items())[:3]]
    more = f" and {len(handed_in.files) - 3} more" if len(handed_in.files) > 3 else ""
    return f"the folder holds no notebook, but {', '.join(names)}{more}"


def _beside(notebook: str, files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the other files by their paths as the notebook sees them; what lies elsewhere keeps its own."""
    folder = posixpath.dirname(notebook)
    near, far = {}, {}
    for path, content in files.items():
        if path != notebook:
            inside = folder and path.startswith(f"{folder}/")
            (near if inside or not folder else far)[path[len(folder) + 1 :] if inside else path] = content
    found = {**far, **near}
    # A file cannot lie where a folder is needed.
    return {
        path: content
        for path, content in found.items()
        if not any(one.startswith(f"{path}/") for one in found)
    }


def written_stamp(time: datetime) -> str:
    """Return a time as nbgrader's exchange writes it."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC")


def write_files(files: dict[str, bytes], folder: Path) -> None:
    """Write files below a new folder that only this process writes to."""
    for path, content in files.items():
        target = folder / path
        os.makedirs(target.parent, exist_ok=True)
        target.write_bytes(content)
