"""What a lesson asks, and whether its answer stands somewhere on the page before it may.

A question declares in the metadata of its cell the ``answer``, as words that would give it away, and which cell
``reveals`` it. Up to there, a learner sees the titles of the whole lesson, and the text, code and outputs of every
cell above; the outputs are those that are stored, because the regression compares them with what a run shows.
"""

from __future__ import annotations

import ast
import html
import re
from typing import Any

from fmnist_helpers.course.strip import REGRESSION_ONLY

Cell = dict[str, Any]


def leaks(notebook: dict[str, Any]) -> list[str]:
    """Return a sentence for each place where an answer stands before it is revealed."""
    cells = [one for one in notebook["cells"] if REGRESSION_ONLY not in one["metadata"].get("tags", [])]
    ids = [cell["id"] for cell in cells]
    titles = [line for cell in cells for line in re.findall(r"^#+ .*", _source(cell), flags=re.MULTILINE)]
    found = []
    for cell in cells:
        question = cell["metadata"].get("question")
        if question:
            until = ids.index(question["reveals"])
            seen = [*titles, *(text for one in cells[:until] for text in _seen(one)), _asked(cells[until])]
            found += [
                f"{cell['id']}: {answer!r} stands in {text[:80]!r}"
                for answer in question["answer"]
                for text in seen
                if _stands_in(answer, text)
            ]
            # What the regression asserts of a result gives it away in other words.
            found += [
                f"{cell['id']}: {one['id']} asserts the answer where a learner reads it"
                for one in cells[ids.index(cell["id"]) : until + 1]
                if re.search(r"^assert\b", _source(one), flags=re.MULTILINE)
            ]
    return found


def undeclared(notebook: dict[str, Any]) -> list[str]:
    """Return the gated questions that declare nothing, and those whose answer nobody finds after they are answered."""
    cells = notebook["cells"]
    ids = [cell["id"] for cell in cells]
    found = []
    for cell in cells:
        if not is_gated(cell):
            continue
        question = cell["metadata"].get("question")
        if not question or not question["answer"] or question["reveals"] not in ids:
            found.append(f"{cell['id']} does not say what its answer is and which cell reveals it")
        elif ids.index(question["reveals"]) < ids.index(cell["id"]):
            found.append(f"{cell['id']} is answered before it is asked")
        else:
            after = cells[ids.index(question["reveals"]) :]
            texts = [_why(cell), *(text for one in after for text in _seen(one))]
            if not any(_stands_in(answer, text) for answer in question["answer"] for text in texts):
                found.append(f"{cell['id']}: nothing in the lesson says any of {question['answer']}")
    return found


def is_gated(cell: Cell) -> bool:
    """Return whether a cell asks for a committed answer."""
    return cell["cell_type"] == "code" and bool(
        re.search(r"^Prediction\(", _source(cell), flags=re.MULTILINE)
    )


def _stands_in(answer: str, text: str) -> bool:
    plain = " ".join(text.replace("**", "").replace("`", "").split()).lower()
    # A number does not stand in a longer one.
    edges = (r"(?<![\w.,−-])", r"(?![\w]|[.,]\d)") if answer[-1].isdigit() else ("", "")
    return bool(re.search(edges[0] + re.escape(answer.lower()) + edges[1], plain))


def _source(cell: Cell) -> str:
    return "".join(cell["source"])


def _seen(cell: Cell) -> list[str]:
    """Return what a cell shows: its source, where that is a question without choices and reason, and its outputs."""
    texts = [_asked(cell)]
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        for text in (output.get("text"), data.get("text/plain"), data.get("text/html"), output.get("evalue")):
            if text and not is_gated(cell):
                # Pictures are not words; their alternatives are.
                texts.append(html.unescape(re.sub(r'src="data:[^"]*"', "", "".join(text))))
    return texts


def _asked(cell: Cell) -> str:
    """Return the source of a cell; of a question, without its choices and the reason that is shown afterwards."""
    text = _source(cell)
    if not is_gated(cell):
        return re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)
    hidden = [one.value for one in ast.parse(text).body[-1].value.keywords if one.arg in ("why", "choices")]
    for part in [ast.get_source_segment(text, one) for one in hidden]:
        text = text.replace(part, "")
    return text


def _why(cell: Cell) -> str:
    call = ast.parse(_source(cell)).body[-1].value
    return " ".join(ast.literal_eval(one.value) for one in call.keywords if one.arg == "why")
