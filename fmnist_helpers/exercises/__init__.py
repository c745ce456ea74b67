"""Checks that diagnose: what the exercises run on a student's code, and the recorder they stand on.

A check runs the student's function on a small seeded problem, records what it does in which order, and compares
the result with an independent computation. Where something is wrong it says what was seen, which belief often
leads there, and which section to read again; ``hint()`` then helps in two more steps, without giving the
solution away. ``trace_training`` is the recorder, for anybody's loop.

A check has three parts. A *problem* is data, made from a seed. *Observing* (``ex01_observe`` to ``ex06_observe``, built
on ``observe``) runs the student's function on it and returns an *observation*, plain data with a schema
(``observation``). A *judgement* (``ex01_data`` to ``ex06_project``, built on ``check``) is a pure function of both. So
what decides never touches an object of the student's.

Nothing of this is loaded with the package itself. ``predictions`` is the task that each exercise begins with,
``misconceptions`` what learners often believe, ``recorder`` (with its ``timeline``) what watches a loop, ``toy`` the
small problem that it runs on. ``your_turn`` (in ``turns``) checks what a learner writes in
the middle of a lesson.
"""

from fmnist_helpers.exercises.check import CheckFailed, hint
from fmnist_helpers.exercises.recorder import Event, Trace, trace_training
from fmnist_helpers.exercises.turns import your_turn

__all__ = ["CheckFailed", "Event", "Trace", "hint", "trace_training", "your_turn"]
