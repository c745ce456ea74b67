"""How a check ends: with a diagnosis that helps, or with a line that says what was checked."""

from __future__ import annotations

import textwrap

from fmnist_helpers.checks.beliefs import BELIEFS, SECTIONS

STUB = "Replace this line"
"""How the message of a task that nobody has written yet begins."""
WIDTH = 96
_last: list[CheckFailed] = []
"""The failure that ``hint()`` speaks of, if any."""


class CheckFailed(AssertionError):  # noqa: N818  What it says is a diagnosis, not an error.
    """A check found something wrong: ``str`` is the diagnosis, ``hints`` are the steps beyond it.

    Attributes:
        task: name of the student's function or variable.
        seen: what was seen, in one sentence.
        belief: key in ``BELIEFS``, or None if no belief explains it.
        section: key in ``SECTIONS``: where to read again.
        hints: what ``hint()`` shows next, first where to look, then how to think about it.
    """

    def __init__(
        self, task: str, seen: str, belief: str | None, section: str, hints: tuple[str, str]
    ) -> None:
        self.task, self.seen, self.belief, self.section, self.hints = task, seen, belief, section, hints
        lines = [f"{task} is not right yet.", _labelled("What was seen", seen)]
        if belief is not None:
            words, truth = BELIEFS[belief].words, BELIEFS[belief].truth
            lines.append(_labelled("A belief that leads there", f'"{words}". But {truth}.'))
        place, title = SECTIONS[section]
        lines.append(_labelled("Read again", f'{place}, "{title}".'))
        super().__init__("\n".join(lines))

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: the diagnosis alone, not the lines of the check that led to it."""
        return [*str(self).splitlines(), _labelled("More help", "run hint() in a cell of its own.")]


def fail(
    task: str,
    seen: str,
    belief: str | None = None,
    *,
    section: str | None = None,
    where: str | None = None,
    think: str | None = None,
) -> None:
    """End a check with a diagnosis; what is not given is taken from the belief.

    Args:
        task: name of the student's function or variable.
        seen: what was seen, a sentence with its full stop.
        belief: key in ``BELIEFS``. Without one, ``section``, ``where`` and ``think`` are needed.
        section: key in ``SECTIONS``.
        where, think: the hints of level 2 and 3.

    Raises:
        CheckFailed: always.
    """
    known = BELIEFS.get(belief) if belief is not None else None
    failure = CheckFailed(
        task,
        seen,
        belief,
        section or known.section,
        (where or known.where, think or known.think),
    )
    failure.shown = 0
    _last[:] = [failure]
    raise failure


def passed(task: str, what: str) -> None:
    """Forget the last failure and print one line that says what was checked."""
    _last.clear()
    print(f"{task}: {what}")


def hint() -> None:
    """Show the next hint on the last check that failed: first where to look, then how to think about it."""
    if not _last:
        print("No check has failed since the last one that passed, so there is nothing to hint at.")
        return
    failure = _last[0]
    names = ("Where to look", "How to think about it")
    number = min(failure.shown, len(names) - 1)
    failure.shown += 1
    print(f"{failure.task}, hint {number + 1} of {len(names)}")
    print(_labelled(names[number], failure.hints[number]))
    if failure.shown > len(names):
        place, title = SECTIONS[failure.section]
        print(f'That was the last hint. Read {place}, "{title}", and ask somebody if you are still stuck.')


def _labelled(label: str, text: str) -> str:
    return textwrap.fill(f"{label}: {text}", WIDTH, subsequent_indent="  ")
