"""Checks that diagnose: what the exercises run on a student's code, and the recorder they stand on.

A check runs the student's function on a small seeded problem, records what it does in which order, and compares
the result with an independent computation. Where something is wrong it says what was seen, which belief often
leads there, and which section to read again; ``hint()`` then helps in two more steps, without giving the
solution away. ``trace_training`` is the recorder, for anybody's loop.

Nothing of this is loaded with the package itself. One module for each exercise, ``ex01_data`` to ``ex06_project``;
``predictions`` for the task that each begins with; ``check`` is what they stand on, ``misconceptions`` what learners
often believe, ``recorder`` (with its ``timeline``) what watches a loop, ``toy`` the small problem that it runs on.
"""

from fmnist_helpers.exercises.check import CheckFailed, hint
from fmnist_helpers.exercises.recorder import Event, Trace, trace_training

__all__ = ["CheckFailed", "Event", "Trace", "hint", "trace_training"]
