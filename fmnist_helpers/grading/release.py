"""Makes the students' copies: ``python -m fmnist_helpers.grading release --out DIR``."""

from __future__ import annotations

import zipfile
from pathlib import Path

from nbgrader.converters import GenerateAssignment

from fmnist_helpers.atomic import written_whole
from fmnist_helpers.grading.classroom import Classroom


def release(classroom: Classroom, assignment: str) -> Path:
    """Write the copy of one assignment without solutions and hidden tests, and a zip of it.

    nbgrader records the assignment in the grade book, where the autograder looks up its tests.

    Args:
        classroom: where to; ``release/<assignment>/`` and ``release/<assignment>.zip`` are replaced.
        assignment: name of the assignment.

    Returns:
        The path of the zip.

    Raises:
        nbgrader.converters.base.NbGraderException: if nbgrader refuses the source.
    """
    classroom.prepare()
    classroom.convert(GenerateAssignment, classroom.config(assignment, "."))
    folder = classroom.folder / "release" / assignment
    path = folder.with_suffix(".zip")
    with written_whole(path) as unfinished, zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, Path(assignment) / file.relative_to(folder))
    return path
