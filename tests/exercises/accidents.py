"""What honest students do to their work by accident, and what must come of it: full marks, or a sentence.

``ACCIDENTS`` is the table; ``python -m tests.exercises.accidents`` grades a class that had them all and prints what
came of each. Everybody in it has solved the exercise. ``tests/exercises/hostile.py`` holds those who have not.
"""

from __future__ import annotations

import base64
import copy
import csv
import io
import json
import os
import struct
import subprocess
import sys
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from tests.exercises.hostile import (
    ASSIGNMENT,
    MANUAL,
    NOT_SUBMITTED,
    POINTS,
    TARGET,
    UNREADABLE,
    Change,
    answered,
    cell_of,
    place_of,
    solved,
)

NAME = f"{ASSIGNMENT}.ipynb"
HandIn = Callable[[Path, NotebookNode], None]
"""Writes into a student's folder what is handed in; the notebook is right and complete."""


@dataclass(frozen=True)
class Accident:
    """What one student did."""

    student: str
    """Who it is in the table of grades."""
    hand_in: HandIn
    words: str = ""
    """What the table must say of it; empty if it is nothing to speak of."""
    status: str = MANUAL
    """Where it is another one, nothing can be graded, and the table says why."""
    folder: str | bytes = ""
    """Name of the student's folder, if it is not the student's."""
    hours_late: float = 0.0


# --- how it is handed in ---------------------------------------------------------------------------------------


def put(folder: Path, content: bytes | str, name: str = NAME, *, inside: str = ASSIGNMENT) -> Path:
    path = folder / inside / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def changed(*changes: Change) -> HandIn:
    """The notebook was changed."""

    def hand_in(folder: Path, notebook: NotebookNode) -> None:
        for change in changes:
            change(notebook)
        put(folder, json.dumps(notebook))

    return hand_in


def written(write: Callable[[str], bytes], name: str = NAME, inside: str = ASSIGNMENT) -> HandIn:
    """The file was written in another way, or under another name."""

    def hand_in(folder: Path, notebook: NotebookNode) -> None:
        # A letter beyond ASCII, as it stands in a file.
        cell_of(notebook, "explain").source += " Größe, 学生."
        put(folder, write(json.dumps(notebook, ensure_ascii=False)), name, inside=inside)

    return hand_in


def plain(text: str) -> bytes:
    return text.encode()


def beside(files: dict[str, bytes | str], *changes: Change) -> HandIn:
    """Other files were handed in with the notebook."""

    def hand_in(folder: Path, notebook: NotebookNode) -> None:
        changed(*changes)(folder, notebook)
        for name, content in files.items():
            put(folder, content, name)

    return hand_in


def stamped(content: bytes | str) -> HandIn:
    return beside({"timestamp.txt": content})


def instead(content: bytes | str, name: str = NAME) -> HandIn:
    """Something else was handed in."""
    return lambda folder, notebook: put(folder, content, name) and None


def zipped(names: Callable[[str], dict[str, bytes]], name: str = "hand-in.zip") -> HandIn:
    def hand_in(folder: Path, notebook: NotebookNode) -> None:
        put(folder, zip_of(names(json.dumps(notebook))), name)

    return hand_in


def zip_of(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def _tar(folder: Path, notebook: NotebookNode) -> None:
    packed, content = io.BytesIO(), json.dumps(notebook).encode()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo(f"work/{NAME}")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    put(folder, packed.getvalue(), "work.tar.gz")


def _untouched_beside(folder: Path, notebook: NotebookNode) -> None:
    released = notebook.metadata.pop("released")
    put(folder, json.dumps(released))
    put(folder, json.dumps(notebook), f"{ASSIGNMENT}-Copy1.ipynb")
    os.utime(folder / ASSIGNMENT / f"{ASSIGNMENT}-Copy1.ipynb", (1, 1))


def _begun_beside(folder: Path, notebook: NotebookNode) -> None:
    begun = copy.deepcopy(notebook.metadata.pop("released"))
    cell_of(begun, "predict").source = "predicted = {}"
    put(folder, json.dumps(begun))
    put(folder, json.dumps(notebook), f"{ASSIGNMENT} (final).ipynb")


def _empty_beside(folder: Path, notebook: NotebookNode) -> None:
    put(folder, "")
    put(folder, json.dumps(notebook), f"{ASSIGNMENT} (1).ipynb")


# --- what was done to the notebook -----------------------------------------------------------------------------


def new_cell_after(name: str, cell: NotebookNode, change: Change = lambda notebook: None) -> Change:
    def insert(notebook: NotebookNode) -> None:
        notebook.cells.insert(place_of(notebook, name) + 1, cell)
        change(notebook)

    return insert


def without(name: str) -> Change:
    def change(notebook: NotebookNode) -> None:
        del notebook.cells[place_of(notebook, name)]

    return change


def without_given(words: str) -> Change:
    def change(notebook: NotebookNode) -> None:
        notebook.cells = [c for c in notebook.cells if c.cell_type != "code" or words not in c.source]

    return change


def in_imports(line: str) -> Change:
    """A line was added on top of the cell with the imports."""

    def change(notebook: NotebookNode) -> None:
        cell = next(cell for cell in notebook.cells if "import torch" in cell.source)
        cell.source = f"{line}\n{cell.source}"

    return change


def _stub(notebook: NotebookNode, name: str) -> None:
    released = notebook.metadata["released"]
    cell_of(notebook, name).source = cell_of(released, name).source


def _below_its_test(notebook: NotebookNode) -> None:
    source = cell_of(notebook, TARGET).source
    _stub(notebook, TARGET)
    notebook.cells.insert(place_of(notebook, f"{TARGET}-test") + 1, new_code_cell(source))


def _in_its_test(notebook: NotebookNode) -> None:
    test = cell_of(notebook, f"{TARGET}-test")
    test.source = f"{cell_of(notebook, TARGET).source}\n\n{test.source}"
    _stub(notebook, TARGET)


def _beside_its_cell(notebook: NotebookNode) -> None:
    source = cell_of(notebook, TARGET).source
    _stub(notebook, TARGET)
    notebook.cells.insert(place_of(notebook, TARGET) + 1, new_code_cell(source))


def _merged(notebook: NotebookNode) -> None:
    place = place_of(notebook, TARGET)
    notebook.cells[place].source += "\n\n" + notebook.cells.pop(place + 1).source


def _merged_answers(notebook: NotebookNode) -> None:
    cell_of(notebook, "train_accumulated").source += "\n\n" + cell_of(notebook, "train_clipped").source
    del notebook.cells[place_of(notebook, "train_clipped")]


def _split(notebook: NotebookNode) -> None:
    cell = cell_of(notebook, TARGET)
    first = copy.deepcopy(cell)
    first.source = "NOTHING = 0.0"
    cell.source += "\n_ = NOTHING"
    notebook.cells.insert(notebook.cells.index(cell), first)


def _split_text(notebook: NotebookNode) -> None:
    cell = cell_of(notebook, "explain")
    second = copy.deepcopy(cell)
    cell.source, second.source = "The first half.", "The second half."
    notebook.cells.append(second)


def _explained_beside(notebook: NotebookNode) -> None:
    _stub(notebook, "explain")
    notebook.cells.append(new_markdown_cell("Only a validation split can tell, said beside."))


def _explained_in_code(notebook: NotebookNode) -> None:
    _stub(notebook, "explain")
    notebook.cells.append(new_code_cell("# Only a validation split can tell, said in a comment."))


def _rewritten(notebook: NotebookNode) -> None:
    cell = cell_of(notebook, TARGET)
    cell.metadata = NotebookNode()


def _without_labels(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        cell.metadata = NotebookNode()


def _answer_as_text(notebook: NotebookNode) -> None:
    cell = cell_of(notebook, TARGET)
    notebook.cells[notebook.cells.index(cell)] = new_markdown_cell(cell.source, metadata=cell.metadata)


def _all_before(notebook: NotebookNode) -> None:
    """Every answer was moved to the end, below all tests."""
    answer = notebook.cells.pop(place_of(notebook, TARGET))
    notebook.cells.append(answer)


def _surrogates(notebook: NotebookNode) -> None:
    cell_of(notebook, "explain").source += " \ud83d"
    cell_of(notebook, TARGET).source += "\n# \udc00"


def _strange(notebook: NotebookNode) -> None:
    notebook.nbformat_minor = 99
    notebook.metadata = {"language_info": None, "odd": float("nan")}
    for cell in notebook.cells:
        cell["id"] = "same"
        cell["source"] = cell["source"].splitlines(keepends=True)
        cell["attachments"] = None


def _windows_lines(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        cell.source = cell.source.replace("\n", "\r\n")


def _many_outputs(notebook: NotebookNode) -> None:
    picture = {"image/png": base64.b64encode(os.urandom(9_000_000)).decode()}
    cell = cell_of(notebook, TARGET)
    cell.outputs = [nbformat.v4.new_output("display_data", picture)] * 3


# --- pictures --------------------------------------------------------------------------------------------------


def picture(width: int = 40) -> bytes:
    """Return a grey PNG, made by hand so that nothing has to be installed."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, width, 8, 0, 0, 0, 0)
    lines = zlib.compress(b"".join(b"\0" + b"\x80" * width for _ in range(width)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


ENCODED = base64.b64encode(picture()).decode()


def explained(text: str, **attachments: str) -> Change:
    def change(notebook: NotebookNode) -> None:
        cell = cell_of(notebook, "explain")
        cell.source = text
        if attachments:
            cell.attachments = {f"{name}.png": {"image/png": data} for name, data in attachments.items()}

    return change


SWITCHES = {
    "gradients off": "torch.set_grad_enabled(False)",
    "no_grad never left": "torch.no_grad().__enter__()",
    "inference mode never left": "_mode = torch.inference_mode(); _mode.__enter__()",
    "double precision": "torch.set_default_dtype(torch.float64)",
    "meta device": "torch.set_default_device('meta')",
    "deterministic": "torch.use_deterministic_algorithms(True)",
    "anomaly detection": "torch.autograd.set_detect_anomaly(True)",
    "autocast never left": "torch.autocast('cpu').__enter__()",
    "warnings are errors": "import warnings; warnings.simplefilter('error')",
    "numpy raises": "import numpy; numpy.seterr(all='raise')",
}
IMPORTS = {
    "seaborn": "import seaborn as sns\nsns.set_theme()",
    "two in one line": "import no_such_package, math",
    "colab": "from google.colab import drive\ndrive.mount('/content/drive')",
    "ipympl": "%matplotlib widget",
    "an old name": "from torch.utils.data import no_such_name",
    "a style": "import matplotlib.pyplot as plt\nplt.style.use('no such style')",
}
HELPER = "def double(value):\n    return 2 * value\n"


def uses(line: str) -> Change:
    return answered(f"assert double(2) == 4\n_real = {TARGET}", before=line)


ACCIDENTS = [
    # Encodings and formats.
    Accident("utf-8 with a signature", written(lambda text: text.encode("utf-8-sig"))),
    Accident("utf-16", written(lambda text: text.encode("utf-16")), "utf-16"),
    Accident("utf-16 without a mark", written(lambda text: text.encode("utf-16-be")), "utf-16-be"),
    Accident("utf-32", written(lambda text: text.encode("utf-32")), "utf-32"),
    Accident("windows-1252", written(lambda text: text.replace("学生", "").encode("cp1252")), "Windows-1252"),
    Accident("half of a letter", changed(_surrogates)),
    Accident("windows line ends", changed(_windows_lines)),
    Accident(
        "windows file",
        written(lambda text: json.dumps(json.loads(text), indent=1).replace("\n", "\r\n").encode()),
    ),
    Accident("zeros at the end", written(lambda text: text.encode() + bytes(4096))),
    Accident("strange metadata", changed(_strange)),
    Accident("30 MB of pictures", changed(_many_outputs)),
    # Names and places.
    Accident("json ending", written(plain, f"{NAME}.json"), "is called"),
    Accident("txt ending", written(plain, f"{NAME}.txt"), "is called"),
    Accident("upper case", written(plain, NAME.upper()), "is called"),
    Accident("no ending", written(plain, ASSIGNMENT), "is called"),
    Accident("json only", written(plain, f"{ASSIGNMENT}.json"), "is called"),
    Accident("a name of one's own", written(plain, "Final Version (really).ipynb"), "is called"),
    Accident("one folder deeper", written(plain, f"work/{NAME}"), "is called work/"),
    Accident("in a zip", zipped(lambda text: {f"{ASSIGNMENT}/{NAME}": text.encode()}), "hand-in.zip"),
    Accident(
        "a zip in a zip", zipped(lambda text: {"inner.zip": zip_of({NAME: text.encode()})}), "inner.zip"
    ),
    Accident("a zip from windows", zipped(lambda text: {f"work\\{NAME}": text.encode()}), "work/"),
    Accident(
        "a zip from a mac",
        zipped(
            lambda text: {
                f"__MACOSX/._{NAME}": b"\0\5\x16\7",
                f"._{NAME}": b"\0\5\x16\7",
                NAME: text.encode(),
            }
        ),
        "hand-in.zip",
    ),
    Accident("a tar", _tar, "work.tar.gz"),
    Accident("mac companions", beside({f"._{NAME}": b"\0\5\x16\7\0", ".DS_Store": b"\0\0\0\1Bud1"})),
    Accident("checkpoints", beside({f".ipynb_checkpoints/{ASSIGNMENT}-checkpoint.ipynb": "{}"})),
    Accident("folder in capitals", written(plain, NAME, ASSIGNMENT.upper())),
    Accident("no folder", written(plain, NAME, "."), "outside of a folder"),
    Accident(
        "a zip without a folder",
        zipped(lambda text: {"a.ipynb": text.encode()}, "../all.zip"),
        "outside of a folder",
    ),
    Accident("a folder too many", written(plain, NAME, f"submission/{ASSIGNMENT}"), "outside of a folder"),
    Accident("Zoë from a mac", changed(), folder=unicodedata.normalize("NFD", "Zoë from a mac")),
    Accident("Zoë from windows", changed(), folder="Zoë from windows".encode("cp1252")),
    Accident("Doe, Jane", changed()),
    Accident("blanks", changed(), folder="  blanks "),
    Accident("a_line", changed(), folder="a\nline"),
    Accident("[a-z]*?", changed()),
    Accident("a..b", changed()),
    Accident(".hidden", changed()),
    Accident("100% {sure} $HOME", changed()),
    # Which one is meant.
    Accident("untouched beside", _untouched_beside, "Copy1.ipynb was graded"),
    Accident(
        "begun beside", _begun_beside, "(final).ipynb was graded; ex05_training_loop.ipynb holds work, too"
    ),
    Accident("empty beside", _empty_beside, "the file is empty"),
    # Answers in another place.
    Accident("answer below its test", changed(_below_its_test), "was moved behind the cell below it"),
    Accident("answer in its test", changed(_in_its_test), "held code of its own"),
    Accident("answer beside its cell", changed(_beside_its_cell)),
    Accident("answer merged with its test", changed(_merged), "was missing and was put back"),
    Accident("answers merged", changed(_merged_answers), "train_clipped was missing"),
    Accident("answer split", changed(_split), "stood there twice"),
    Accident("answer rewritten", changed(_rewritten), "recognised by its text"),
    Accident("answer at the end", changed(_all_before), "moved behind it"),
    Accident("answer as text", changed(_answer_as_text), "turned into a markdown cell, and back"),
    Accident("all labels lost", changed(_without_labels), "were recognised by their text"),
    Accident("explanation split", changed(_split_text), "the parts were put together"),
    Accident("explanation beside", changed(_explained_beside), "answered beside its cell"),
    Accident("explanation in a comment", changed(_explained_in_code), "answered beside its cell"),
    Accident("imports deleted", changed(without_given("import fmnist_helpers\n")), "imports"),
    Accident("measurement deleted", changed(without_given("trace = trace_training")), "measured was missing"),
    # Pictures in the explanation.
    Accident("attachment", changed(explained("See ![it](attachment:plot.png).", plot=ENCODED))),
    Accident("picture in the text", changed(explained(f"See ![it](data:image/png;base64,{ENCODED})."))),
    Accident(
        "picture as HTML", changed(explained(f"See <img width='90' src='data:image/png;base64,{ENCODED}'>."))
    ),
    Accident("picture in a file", beside({"plots/it.png": picture()}, explained("See ![it](plots/it.png)."))),
    # Imports that fail here, switches left on, honest extensions.
    *(Accident(f"imports {name}", changed(in_imports(line)), "failed") for name, line in IMPORTS.items()),
    *(
        Accident(f"switch: {name}", changed(in_imports("import torch\n" + line)), "an earlier cell")
        for name, line in SWITCHES.items()
    ),
    Accident("autoreload", changed(in_imports("%load_ext autoreload\n%autoreload 2"))),
    Accident("another folder", changed(in_imports("import os\nos.makedirs('/tmp/x'); os.chdir('/tmp/x')"))),
    Accident(
        "callback", changed(in_imports("get_ipython().events.register('post_run_cell', lambda result: None)"))
    ),
    Accident(
        "profiler", changed(in_imports("import cProfile\n_p = cProfile.Profile()\n_p.enable()")), "a profiler"
    ),
    Accident(
        "by keyword", changed(answered(f"_f = {TARGET}\ndef {TARGET}(**k): return _f(**k)\n{TARGET} = _f"))
    ),
    Accident("helper module", beside({"mine.py": HELPER}, uses("from mine import double"))),
    Accident(
        "helper in a folder",
        beside({"src/mine.py": HELPER, "src/__init__.py": ""}, uses("from src.mine import double")),
    ),
    Accident(
        "helper called größe",
        beside({unicodedata.normalize("NFD", "größe.py"): HELPER}, uses("from größe import double")),
    ),
    # Time stamps.
    Accident("time of the exchange", stamped("2026-03-02 12:00:00.000000 UTC"), hours_late=24),
    Accident("time from PowerShell", stamped("2026-03-02T12:00:00Z\r\n".encode("utf-16")), hours_late=24),
    Accident("time with a zone", stamped("2026-03-02 13:00:00 +0100"), hours_late=24),
    Accident("time with dots", stamped("02.03.2026 12:00"), "UTC", hours_late=24),
    Accident("time in words", stamped("2. März 2026 13:00 MEZ"), hours_late=24),
    Accident("time that is ambiguous", stamped("02/03/2026 12:00 UTC"), "02/03/2026"),
    Accident("time that is none", stamped("yesterday, I think"), "yesterday"),
    # No notebook: nothing can be graded, and it is said why.
    Accident("web page", instead("<!DOCTYPE html>\n<html>"), "web page", UNREADABLE),
    Accident("conflict", written(lambda text: b"{\n<<<<<<< HEAD\n" + text.encode()), "conflict", UNREADABLE),
    Accident("cut", written(lambda text: text.encode()[: len(text) // 2]), "ends in the middle", UNREADABLE),
    Accident("a PDF", instead(b"%PDF-1.7", "ex05.pdf"), "PDF", NOT_SUBMITTED),
    Accident("a program", instead("print(1)", "ex05.py"), "ex05.py", NOT_SUBMITTED),
    Accident("an office document", instead(zip_of({"word/x.xml": b""}), NAME), "office document", UNREADABLE),
    Accident("a damaged zip", instead(zip_of({NAME: b"1" * 999})[:60], "hand-in.zip"), "damaged", UNREADABLE),
]
"""Everybody's table of accidents."""


def write(submitted: Path, release: Path) -> list[Accident]:
    """Hand in what everybody has, and return the table."""
    released = nbformat.read(release, as_version=4)
    for accident in ACCIDENTS:
        notebook = solved(released)
        notebook.metadata["released"] = released
        folder = submitted / os.fsdecode(accident.folder or accident.student)
        accident.hand_in(folder, notebook)
    return ACCIDENTS


def main() -> None:
    """Grade a class that had all accidents, and print the table."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        grade = [sys.executable, "-m", "fmnist_helpers.grading"]
        subprocess.run([*grade, "release", "--out", place, "--assignment", ASSIGNMENT], check=True)
        write(folder / "submitted", folder / "release" / ASSIGNMENT / NAME)
        done = subprocess.run([*grade, "grade", "--out", place], capture_output=True, text=True, check=False)
        with open(folder / "grades.csv", encoding="utf-8-sig", newline="") as file:
            rows = {row["student"]: row for row in csv.DictReader(file)}
    for accident in ACCIDENTS:
        row = rows[accident.student]
        marks = f"{float(row['points']):g} of {sum(POINTS.values()):g}" if row["points"] else row["status"]
        said = "; ".join(filter(None, (row["detail"], row["flags"], row["notes"])))
        print(f"| {accident.student} | {marks} | {said[:150]} |")
    print(done.stdout.splitlines()[-1], done.stderr)


if __name__ == "__main__":
    main()
