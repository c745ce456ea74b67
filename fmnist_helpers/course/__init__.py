"""What a learner works in: copies of lessons and exercises, and the command that writes and opens them.

``root`` knows where the course lies, ``strip`` takes out of a notebook what learners must not see yet, ``copies``
writes working copies, ``pack`` puts the course into the wheel. None of them needs more than Python, because a build
uses them before anything is installed.
"""

from fmnist_helpers.course.root import course_root, recorded_file

__all__ = ["course_root", "recorded_file"]
