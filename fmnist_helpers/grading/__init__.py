"""Hands out the exercises and grades a class, on top of nbgrader: ``python -m fmnist_helpers.grading --help``.

nbgrader keeps its say: its source format, grade book, autograder, feedback and Formgrader. What is added: every
submission runs in a sandbox, side by side, within limits; nothing a submission does stops the others or looks like
a submission that never came.
"""
