"""Fills ``submitted`` from an archive of Moodle or Canvas, or from a folder: nobody is dropped, no work is deleted."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from fmnist_helpers.atomic import written_whole
from fmnist_helpers.grading.archive import ArchiveError, Member, members
from fmnist_helpers.grading.classroom import Classroom
from fmnist_helpers.grading.handed_in import LARGEST_IN_ALL, MOST_FILES, MOST_FOLDERS, clean_name, shown
from fmnist_helpers.grading.lms import CANVAS, FOLDER, MOODLE, Sent, parse
from fmnist_helpers.grading.people import PARTICIPANT, People, Person, name_forms, same
from fmnist_helpers.grading.submissions import SECRET, STAMP, students, write_files, written_stamp
from fmnist_helpers.grading.times import read_timestamp

RECORD = "collected.json"
LATE = "Canvas says that it came late"
LATE_WITHOUT_TIME = f"{LATE}, but not when, so nothing is taken off: write timestamp.txt into its folder"
EARLIER = "earlier"
"""The folder of a class into which goes what is no longer graded."""
WAYS = ("number", "key", "name")
"""How somebody of the list is found, surest first."""
MADE_AT_ONCE = timedelta(minutes=10)
"""Where the times of a whole class lie so close together, the archive was made then."""


class CollectError(ValueError):
    """Nothing was collected; the message says why and what to do."""


@dataclass
class Parcel:
    """What one person sent for one assignment."""

    sent: Sent
    assignment: str
    chosen: dict[str, Member] = field(default_factory=dict)
    older: dict[str, Member] = field(default_factory=dict)
    """Earlier attempts, by the names that the archive gave them."""
    original: str = ""
    """The path in the archive of the notebook, or else of some file."""
    time: datetime | None = None
    time_told: bool = False
    """Whether the time is to be believed: it was written down, and not taken from an archive."""
    zoneless: str = ""
    """Where the time was written down, if that names no time zone."""
    late: bool = False
    """Whether the platform says so."""
    notes: list[str] = field(default_factory=list)


@dataclass
class Collected:
    """What was done, to be told."""

    counts: Counter = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)


def collect(
    classroom: Classroom, source: Path, lms: str, people: People, assignment: str = "", zone: str = "UTC"
) -> Collected:
    """Fill ``submitted`` from an archive or a folder, and return what is to be told.

    Args:
        classroom: the class; its grade book gets the people of the list.
        source: the archive, or for any platform its unpacked folder.
        lms: MOODLE, CANVAS or FOLDER.
        people: the platform's own list; may be empty.
        assignment: what all of it was handed in for; if empty, the names of the files decide.
        zone: in which time zone the times of archive, list and ``timestamp.txt`` are, where they do not say so.

    Raises:
        ArchiveError: if the source is none.
        CollectError: if nothing in it has the form that the platform writes, or no assignment is named.
    """
    told = Collected(lines=people.doubles())
    known, record = _known(classroom), read_record(classroom)
    with members(source) as found:
        sorted_out = _by_person(found, lms, classroom.assignments(), assignment, told)
        parcels = [_choose(pairs, name, zone) for (_, name), pairs in sorted_out.items()]
        persons = _join(parcels, people)
        _times(parcels, persons, zone, told)
        for student, parcel in zip(_called(parcels, persons, people, known, record), parcels, strict=True):
            _keep(classroom, student, parcel, record, told)
    _write_record(classroom, record)
    _enrol(classroom, people, known, told)
    _tell_missing(people, persons, told)
    return told


# --- whose a file is, and for what -----------------------------------------------------------------------------


def _by_person(
    found: list[Member], lms: str, names: list[str], assignment: str, told: Collected
) -> dict[tuple[str, str], list[tuple[Sent, Member]]]:
    """Return (person, assignment) → what they sent."""
    pairs = [(parse(member.path, lms), member) for member in found]
    nobodys = [shown(member.path) for sent, member in pairs if not sent]
    pairs = [(sent, member) for sent, member in pairs if sent]
    if not pairs:
        raise CollectError(
            f"no file has a name as {lms} writes it, such as {EXAMPLES[lms]}; {_instead(found, lms)}"
        )
    if nobodys:
        more = f" and {len(nobodys) - 5} more" if len(nobodys) > 5 else ""
        told.lines.append(f"nobody's, so not collected: {', '.join(nobodys[:5])}{more}")
    common = assignment or _named_most(pairs, names)
    sorted_out: dict[tuple[str, str], list[tuple[Sent, Member]]] = {}
    guessed = False
    for sent, member in pairs:
        own = _own_folder(sent, names)
        if assignment and own and own != assignment:
            continue
        if not (name := own or common):
            raise CollectError(
                "the names of the files do not say which assignment it is; add --assignment NAME"
            )
        guessed |= not own and not assignment
        # Two folders whose names differ in capitals alone may be two people's.
        sorted_out.setdefault((sent.number or clean_name(sent.name), name), []).append((sent, member))
    if guessed:
        told.lines.append(
            f"taken as {common}, because most files are named so; --assignment says it for sure"
        )
    return sorted_out


def _instead(found: list[Member], lms: str) -> str:
    """Return what to do with a source in which no file has the form that is expected."""
    if not found:
        return "it is empty"
    for other in (MOODLE, CANVAS):
        if other != lms and any(parse(member.path, other) for member in found):
            return f"it is an archive of {other}: --{other}"
    if all(member.path.lower().endswith(".zip") for member in found):
        return f"it holds another zip: unpack {shown(found[0].path)} and name that"
    return "put a folder for each student there" if lms == FOLDER else "try --folder"


EXAMPLES = {
    "moodle": "Ada Lovelace_1234567_assignsubmission_file_/ex03_loss.ipynb",
    "canvas": "lovelaceada_12345_678910_ex03_loss.ipynb",
    "folder": "ada/ex03_loss.ipynb",
}


def _own_folder(sent: Sent, names: list[str]) -> str:
    """Return the assignment for which a plain folder holds a folder of its own, if this file lies in one."""
    first, _, rest = sent.file.partition("/")
    return next((name for name in names if rest and sent.lms == FOLDER and same(first) == same(name)), "")


def _named_most(pairs: list[tuple[Sent, Member]], names: list[str]) -> str:
    """Return the assignment after which more than half of the notebooks are named that are named after any."""
    files = [same(sent.file.split("/")[-1]) for sent, _ in pairs if not _own_folder(sent, names)]
    votes = Counter(name for file in files for name in names if file.startswith(same(name)))
    name, most = (votes.most_common(1) or [("", 0)])[0]
    return name if 2 * most > sum(votes.values()) else ""


# --- what they sent --------------------------------------------------------------------------------------------


def _choose(pairs: list[tuple[Sent, Member]], assignment: str, zone: str) -> Parcel:
    """Return what one person sent, of each notebook the last attempt; nothing of it is read yet."""
    parcel = Parcel(pairs[0][0], assignment)
    attempts: dict[str, list[tuple[Sent, Member]]] = {}
    for sent, member in pairs:
        attempts.setdefault(sent.file, []).append((sent, member))
    for several in attempts.values():
        *older, (sent, member) = sorted(several, key=lambda pair: (pair[0].attempt, pair[0].original))
        path = _inside(sent, assignment)
        if _take_stamp(path, sent, member, parcel, zone):
            continue
        if why := _unwanted(path, member, parcel):
            parcel.notes.append(f"{shown(sent.file)} was not collected: {why}")
            continue
        parcel.chosen[path] = member
        if not parcel.original or path.lower().endswith(".ipynb"):
            parcel.original, parcel.sent = sent.original, sent
        if older:
            parcel.older |= {one.original.split("/")[-1]: member for one, member in older}
            last = shown(sent.original.split("/")[-1])
            parcel.notes.append(f"{len(several)} attempts at {shown(sent.file)}; the last counts, {last}")
    times = [member.time for member in parcel.chosen.values() if member.time]
    parcel.time = parcel.time or max(times, key=lambda time: time.replace(tzinfo=None), default=None)
    parcel.late = any(sent.late for sent, _ in pairs)
    return parcel


def _load(found: dict[str, Member], notes: list[str]) -> dict[str, bytes]:
    """Return the bytes of files, and note what could not be had."""
    files: dict[str, bytes] = {}
    for path, member in found.items():
        try:
            content = member.read()
            if sum(map(len, files.values())) + len(content) > LARGEST_IN_ALL:
                raise ArchiveError(f"all together is more than {LARGEST_IN_ALL // 2**20} MB")
            files[path] = content
        except ArchiveError as error:
            notes.append(f"{shown(path)} was not collected: {error}")
    return files


def _inside(sent: Sent, assignment: str) -> str:
    """Return a file's path in the folder of the assignment, which a plain folder may have of its own."""
    first, _, rest = sent.file.partition("/")
    return rest if sent.lms == FOLDER and rest and same(first) == same(assignment) else sent.file


def _unwanted(path: str, member: Member, parcel: Parcel) -> str:
    if member.refused:
        return member.refused
    if {STAMP, SECRET} & set(path.casefold().split("/")):
        return "only the collecting program may write a file of this name"
    if path.count("/") >= MOST_FOLDERS:
        return "it lies too many folders deep"
    if len(parcel.chosen) >= MOST_FILES:
        return f"there are more than {MOST_FILES} files"
    if any(other.startswith(f"{path}/") or path.startswith(f"{other}/") for other in parcel.chosen):
        return "a folder and a file have this name"
    return "there are two of this path" if path in parcel.chosen else ""


def _take_stamp(path: str, sent: Sent, member: Member, parcel: Parcel, zone: str) -> bool:
    """Take the time stamp that the owner of a plain folder has put beside a submission."""
    if sent.lms != FOLDER or path.casefold() != STAMP or member.open is None:
        return False
    _write_down(parcel, member.read()[:10_000].decode("utf-8-sig", "replace"), zone, STAMP)
    return True


def _write_down(parcel: Parcel, text: str, zone: str, where: str) -> None:
    """Give a parcel the time that was written down somewhere, if it can be read."""
    time, notes, zoneless = _moment(text, zone)
    parcel.notes += notes
    if time:
        parcel.time, parcel.time_told, parcel.zoneless = time, True, where * zoneless


# --- who they are, and when it was -----------------------------------------------------------------------------


def _join(parcels: list[Parcel], people: People) -> list[Person | None]:
    """Return for each parcel who of the list sent it; who is in doubt stays alone."""
    found = [people.find(parcel.sent.name, parcel.sent.number) for parcel in parcels]
    claims = Counter(
        (person, parcel.assignment, way) for parcel, (person, way) in zip(parcels, found, strict=True)
    )
    persons: list[Person | None] = []
    for parcel, (person, way) in zip(parcels, found, strict=True):
        if person:
            better = any(claims[person, parcel.assignment, one] for one in WAYS[: WAYS.index(way)])
            if better or claims[person, parcel.assignment, way] > 1:
                person, way = None, f"several in the archive have the {way} of {person}"
        if person and way == "number" and not _goes_with(parcel.sent.name, person):
            if others := people.named(parcel.sent.name):
                way = f"the number is that of {person}, and the name that of {' and '.join(map(str, others))}"
                person = None
            else:
                name = shown(parcel.sent.name)
                parcel.notes.append(f"joined by the number alone: the archive says {name}, the list {person}")
        if person is None:
            parcel.notes.append(f"not joined to anybody: {way}; the folder has the archive's name")
        persons.append(person)
    return persons


def _goes_with(name: str, person: Person) -> bool:
    """Tell whether a name in an archive can be a person's; one that is hidden can be anybody's."""
    hidden = not person.name or PARTICIPANT.fullmatch(name) or not name_forms(name)
    return bool(hidden or name_forms(name) & name_forms(person.name))


def _called(
    parcels: list[Parcel],
    persons: list[Person | None],
    people: People,
    known: dict[str, str],
    record: dict[str, dict[str, dict]],
) -> list[str]:
    """Return what each sender is called in the class, or as in the archive where two would share a folder."""
    alone = [clean_name(parcel.sent.who) for parcel in parcels]
    names = [student_of(one, people, known) if one else own for one, own in zip(persons, alone, strict=True)]
    while True:
        claims = Counter((same(name), parcel.assignment) for name, parcel in zip(names, parcels, strict=True))
        doubts = {}
        for place, (name, parcel, person) in enumerate(zip(names, parcels, persons, strict=True)):
            # By a name alone, another number may be another person.
            before = record.get(parcel.assignment, {}).get(name) if person and not person.keys else None
            if claims[same(name), parcel.assignment] > 1:
                doubts[place] = f"several in the archive would be {shown(name)}"
            elif before and before["number"] != parcel.sent.number:
                doubts[place] = f"{shown(name)} was collected as {shown(before['who'])} before"
        doubts = {place: why for place, why in doubts.items() if names[place] != alone[place]}
        if not doubts:
            return names
        for place, why in doubts.items():
            parcels[place].notes.append(f"not joined to anybody: {why}; the folder has the archive's name")
            names[place] = alone[place]


def _times(parcels: list[Parcel], persons: list[Person | None], zone: str, told: Collected) -> None:
    """Settle when each parcel was handed in: a stamp beside it, the list's word, or else the archive's if it can be."""
    for parcel, person in zip(parcels, persons, strict=True):
        if person and not parcel.time_told and person.handed_in.strip(" -"):
            _write_down(parcel, person.handed_in, zone, "the list")
    for where, number in Counter(parcel.zoneless for parcel in parcels if parcel.zoneless).items():
        told.lines.append(f"{number} times of {where} name no time zone, and were read as {zone} (--zone)")
    guessed = [parcel for parcel in parcels if parcel.time and not parcel.time_told]
    plain = [parcel.time.replace(tzinfo=None) for parcel in guessed]
    if len(plain) > 2 and max(plain) - min(plain) < MADE_AT_ONCE:
        for parcel in guessed:
            parcel.time = None
        listed = "the platform's list may have them"
        if any(persons) and not any(person.handed_in for person in persons if person):
            listed = "no column of the list says when, as Moodle's grading worksheet does"
        told.lines.append(
            f"the times in the archive lie within {MADE_AT_ONCE.seconds // 60} minutes: it was made then, and "
            f"they were not used; {listed}, or write timestamp.txt"
        )
        guessed = []
    bare = [parcel for parcel in guessed if parcel.time.tzinfo is None]
    for parcel in bare:
        parcel.time, notes, _ = _moment(f"{parcel.time:%Y-%m-%d %H:%M:%S}", zone)
        parcel.notes += notes
    if guessed:
        as_zone = f", read as {zone}, because it names no time zone (--zone)" if bare else ""
        told.lines.append(
            f"{len(guessed)} times are guessed from the archive{as_zone}: when a file was packed or uploaded; "
            "compare one with the platform before you take points off"
        )
    if without := sum(parcel.time is None for parcel in parcels):
        told.lines.append(f"{without} have no time and count as on time")
    for parcel in parcels:
        if parcel.late:
            parcel.notes.append(LATE if parcel.time else LATE_WITHOUT_TIME)


def _moment(text: str, zone: str) -> tuple[datetime | None, list[str], bool]:
    """Return the time that a text names, what is to be said of it, and whether it names no time zone."""
    zoneless = any("no time zone" in note for note in read_timestamp(text)[1])
    return *read_timestamp(text, zone=zone), zoneless


# --- where it is kept ------------------------------------------------------------------------------------------


def read_record(classroom: Classroom) -> dict[str, dict[str, dict]]:
    """Return assignment → student → what was collected, and what it was called: lms, who, number, original, ..."""
    try:
        return json.loads((classroom.folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def came_late(classroom: Classroom, student: str, assignment: str) -> bool:
    """Tell whether the platform called a submission late when it was collected."""
    return bool(read_record(classroom).get(assignment, {}).get(student, {}).get("late"))


def _write_record(classroom: Classroom, record: dict) -> None:
    with written_whole(classroom.folder / RECORD) as unfinished:
        unfinished.write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")


def _keep(classroom: Classroom, student: str, parcel: Parcel, record: dict, told: Collected) -> None:
    """Put a parcel where the grader looks for it, unless it is there already or what is there is newer."""
    records = record.setdefault(parcel.assignment, {})
    files = _load(parcel.chosen, parcel.notes)
    before, digest = records.get(student, {}), _digest(files)
    folder = _folder(classroom, student, parcel.assignment)
    what = _put(classroom, folder, parcel, files, before, told)
    if what not in (LINK, OLDER, DAMAGED):
        sent = parcel.sent
        records[student] = {
            **{"lms": sent.lms, "who": sent.who, "name": sent.name, "number": sent.number},
            **{"original": parcel.original or sent.original, "digest": digest},
            "time": written_stamp(parcel.time) if parcel.time else "",
            "count": sent.attempt[1],
            "late": parcel.late,
        }
    twins = [one for one, other in records.items() if one != student and other["who"] == parcel.sent.who]
    notes = [*([what] if what else []), *parcel.notes]
    notes += [f"was collected as {one} before; take that folder away" for one in twins]
    told.lines += [f"{shown(student)}, {parcel.assignment}: {note}" for note in notes]


LINK = "not collected: the folder for it is a link"
OLDER = "what is there is newer, and was kept"
DAMAGED = "not all of it could be read, so what is there was kept"


def _put(
    classroom: Classroom, folder: Path, parcel: Parcel, files: dict[str, bytes], before: dict, told: Collected
) -> str:
    """Write a parcel, and return what is to be said of it."""
    stamp, what = written_stamp(parcel.time) if parcel.time else "", ""
    if folder.is_symlink() or folder.parent.is_symlink():
        told.counts["not collected"] += 1
        return LINK
    if not folder.exists():
        told.counts["new"] += 1
        _write(folder, files, stamp)
    elif (before.get("digest") or _digest_of(folder)) == _digest(files):
        told.counts["unchanged"] += 1
        # A stamp that came another way is somebody's word.
        if stamp and before.get("time", "") != stamp and (before or not (folder / STAMP).exists()):
            _write_stamp(folder, stamp)
    elif not files or len(files) < len(parcel.chosen) or _order(parcel, stamp, before) < 0:
        told.counts["kept as they were"] += 1
        _set_aside(classroom, folder, files)
        return OLDER if len(files) == len(parcel.chosen) > 0 else DAMAGED
    else:
        told.counts["replaced"] += 1
        aside = _aside(classroom, folder)
        os.rename(folder, aside)
        _write(folder, files, stamp)
        there = f"took the place of the last one, now in {aside.relative_to(classroom.folder)}"
        newer = _order(parcel, stamp, before) > 0
        what = (
            f"a newer attempt {there}" if newer else f"another attempt {there}; nothing says which is newer"
        )
    if parcel.older:
        _set_aside(classroom, folder, _load(parcel.older, parcel.notes))
    return what


def _order(parcel: Parcel, stamp: str, before: dict) -> int:
    """Return 1 if a parcel is newer than what was collected before, -1 if it is older, and 0 if nothing tells."""
    # Canvas counts what is handed in up, over all of it.
    ways = [(parcel.sent.attempt[1], before.get("count", 0)), (stamp, before.get("time", ""))]
    return next(((now > then) - (now < then) for now, then in ways if now and then), 0)


def _folder(classroom: Classroom, student: str, assignment: str) -> Path:
    """Return where a submission lies or is to lie; the same name may be written in two ways on the disk."""
    known = students(classroom.submitted).get(student, [])
    own = known[0] if known else classroom.submitted / student
    there = sorted(own.iterdir()) if own.is_dir() else []
    return next((path for path in there if same(clean_name(path.name)) == same(assignment)), own / assignment)


def _write(folder: Path, files: dict[str, bytes], stamp: str) -> None:
    """Write a submission whole, or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".collect-", dir=folder.parent) as unfinished:
        inner = Path(unfinished, "files")
        inner.mkdir()
        write_files(files, inner)
        if stamp:
            _write_stamp(inner, stamp)
        os.rename(inner, folder)


def _write_stamp(folder: Path, stamp: str) -> None:
    with written_whole(folder / STAMP) as unfinished:
        unfinished.write_text(f"{stamp}\n", encoding="utf-8")


def _aside(classroom: Classroom, folder: Path) -> Path:
    """Return the path of a new folder for what is no longer graded."""
    place = classroom.folder / EARLIER / folder.parent.name / folder.name
    place.mkdir(parents=True, exist_ok=True)
    return place / str(
        1 + max((int(path.name) for path in place.iterdir() if path.name.isdecimal()), default=0)
    )


def _set_aside(classroom: Classroom, folder: Path, files: dict[str, bytes]) -> None:
    place = classroom.folder / EARLIER / folder.parent.name / folder.name
    kept = [_digest_of(path) for path in place.iterdir()] if place.is_dir() else []
    if files and _digest(files) not in kept:
        _write(_aside(classroom, folder), files, "")


def _digest(files: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for path, content in sorted(files.items()):
        digest.update(f"{path}\0{hashlib.sha256(content).hexdigest()}\0".encode())
    return digest.hexdigest()


def _digest_of(folder: Path) -> str:
    """Return the digest of what lies in a folder, without what a collecting program put there."""
    with suppress(ArchiveError), members(folder) as found:
        return _digest(
            {one.path: one.read() for one in found if one.open and one.path not in (STAMP, SECRET)}
        )


# --- the list in the grade book --------------------------------------------------------------------------------


def _known(classroom: Classroom) -> dict[str, str]:
    """Return what a student of this class may be called → their name there: folder, e-mail, user, Canvas's ID."""
    known = {same(student): student for student in students(classroom.submitted)}
    for records in read_record(classroom).values():
        for student, sent in records.items():
            # Moodle's number is another one in each assignment.
            if sent["lms"] == CANVAS and sent["number"]:
                known[f"canvas {sent['number']}"] = student
    if not (classroom.folder / "gradebook.db").exists():
        return known
    with classroom.gradebook() as gradebook:
        for student in gradebook.students:
            for key in filter(None, (student.email, student.lms_user_id, student.id)):
                known[same(key)] = student.id
    return known


def student_of(person: Person, people: People, known: dict[str, str]) -> str:
    """Return what a person is called in the class: as before, or by the first of their keys, or else by name."""
    keys = person.keys or (people.label(person),)
    before = (known[key] for key in (*map(same, keys), f"canvas {person.number}") if key in known)
    return next(before, "") or clean_name(keys[0])


def _enrol(classroom: Classroom, people: People, known: dict[str, str], told: Collected) -> None:
    """Have the grade book know the people of the list: so who hands in nothing is seen, and pages have names."""
    if not people.all:
        return
    persons: dict[str, list[Person]] = defaultdict(list)
    for person in people.all:
        persons[student_of(person, people, known)].append(person)
    told.lines += [
        f"{len(several)} people of the list would be {shown(student)}, who stands in the grade book once: "
        + ", ".join(map(str, several))
        for student, several in persons.items()
        if len(several) > 1
    ]
    if keyless := sum(not person.keys for person in people.all):
        told.lines.append(
            f"{keyless} of the list have neither user name, e-mail nor ID, and go by their names, those of one name by "
            "number, too; a number holds for one assignment"
        )
    with classroom.gradebook() as gradebook:
        entries = {student.id: student for student in gradebook.students}
        for student, (person, *_) in persons.items():
            last, _, first = person.name.partition(",") if "," in person.name else (person.name, "", "")
            new = {
                "first_name": (person.first or first).strip() or None,
                "last_name": (person.last or last).strip() or None,
                "email": person.email or None,
            }
            entry = entries.get(student)
            if entry is None or not (entry.first_name or entry.last_name or entry.email):
                gradebook.update_or_create_student(student, **new)


def _tell_missing(people: People, persons: Iterable[Person | None], told: Collected) -> None:
    sent = set(persons)
    if missing := [str(person) for person in people.all if person not in sent]:
        told.lines.append(f"{len(missing)} of the list are not in it: {', '.join(missing)}")
