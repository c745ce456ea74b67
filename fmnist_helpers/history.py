"""What ``fit`` measured, epoch by epoch."""

from __future__ import annotations

from typing import NamedTuple


class EpochResult(NamedTuple):
    """One row of a :class:`History`. Losses are means a sample, accuracies 0 to 1."""

    epoch: int
    train_loss: float
    train_accuracy: float
    valid_loss: float
    valid_accuracy: float
    seconds: float


class History(list[EpochResult]):
    """The results of the epochs so far, oldest first.

    It is a list of named tuples, so ``history[-1].valid_loss`` is the last validation loss,
    ``history.column("valid_loss")`` all of them, ``print(history)`` a table, and
    ``pandas.DataFrame(history)`` a data frame.
    """

    interrupted: bool = False
    """True if the run that wrote the last rows was stopped by hand."""

    def column(self, name: str) -> list[float]:
        """Return one column, oldest epoch first.

        Raises:
            ValueError: if ``name`` is not a field of :class:`EpochResult`.
        """
        if name not in EpochResult._fields:
            raise ValueError(f"a history has no column {name!r}; it has {', '.join(EpochResult._fields)}")
        return [getattr(row, name) for row in self]

    def __str__(self) -> str:
        lines = ["epoch  train loss  train acc  valid loss  valid acc"]
        lines += [
            f"{row.epoch:>5d}  {row.train_loss:>10.4f}  {row.train_accuracy:>9.1%}"
            f"  {row.valid_loss:>10.4f}  {row.valid_accuracy:>9.1%}"
            for row in self
        ]
        return "\n".join(lines)
