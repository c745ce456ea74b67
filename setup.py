"""Builds the package; what pyproject.toml cannot say is that the course goes into it, without its solutions."""

import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

# A build runs elsewhere, and has nothing of this folder on its path.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from fmnist_helpers.course.pack import pack


class BuildWithCourse(build_py):
    """Adds the course to a wheel; an editable install uses the checkout's own files."""

    def run(self):
        super().run()
        if not self.editable_mode:
            pack(Path(self.build_lib))


class SourceWithCourse(sdist):
    """Adds the course to a source distribution, which holds no notebooks otherwise."""

    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        pack(Path(base_dir))


setup(cmdclass={"build_py": BuildWithCourse, "sdist": SourceWithCourse})
