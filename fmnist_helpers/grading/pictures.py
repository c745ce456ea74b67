"""Keeps the pictures of text cells as attachments: they show wherever the notebook goes, and nothing is fetched.

A picture may be an attachment already, stand in the text as a data URI, or be a file that was handed in with the
notebook. Pictures of the web stay links.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import io
import posixpath
import re
import unicodedata
import warnings
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, unquote_to_bytes
from xml.etree import ElementTree

from bs4 import BeautifulSoup
from nbformat import NotebookNode
from PIL import Image

from fmnist_helpers.grading.inert_text import plain

LARGEST_PICTURE, LARGEST_PICTURES = 2_000_000, 5_000_000
"""How many bytes a picture, and all pictures of a notebook's text cells together, may have."""
LARGEST_DRAWING = 500_000
MOST_PIXELS = 40_000_000
MOST_PICTURES = 200
MOST_NOTES = 10
FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}
SVG = "image/svg+xml"
# What is too large is left out here.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

REPEATS = re.compile(r"url\(\s*[\"']?#([^)\"']+)")

PICTURE = re.compile(
    r"<img\b[^<>]*>"
    r"|!\[((?:[^\[\]]++|\[[^\[\]]*+\])*+)\](?:\(((?:[^()\n]++|\([^()\n]*+\))*+)\)|\[([^\[\]]*)\])?",
    re.IGNORECASE,
)
"""A picture as HTML has it; or as Markdown has it: its alternative, and its target or a label for that."""
LABEL = re.compile(r"^[ \t>]*\[([^\[\]\n]+)\]:[ \t]*<?([^\s<>]+)", re.MULTILINE)
HTML_BLOCK = re.compile(
    r"\s{0,3}</?(?:table|t[dhr]|tbody|thead|center|div|p|figure|figcaption|details|summary|[ou]?li?|h[1-6])\b",
    re.I,
)
"""How a paragraph begins in which Markdown is not read."""


def decoded(value: Any) -> bytes:
    """Return the bytes of Base64 as it is written, or none."""
    with contextlib.suppress(ValueError, binascii.Error):
        return base64.b64decode(re.sub(r"\s+", "", plain(value)), validate=True)
    return b""


def encoded(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


def kind_of(picture: bytes) -> str:
    """Return the media type of a picture that a browser shows at a known cost, from its bytes; empty for others."""
    if len(picture) > LARGEST_PICTURE:
        return ""
    # Pillow reads no more than the head.
    with contextlib.suppress(Exception), Image.open(io.BytesIO(picture), formats=list(FORMATS)) as image:
        return FORMATS[image.format] if image.width * image.height <= MOST_PIXELS else ""
    return SVG if len(picture) <= LARGEST_DRAWING and _is_drawing(picture) else ""


def _is_drawing(picture: bytes) -> bool:
    """Return whether it is an SVG, and none that repeats what repeats something: that can take a browser for ever."""
    inside, repeating, repeated = [False], set(), set()
    tag = ""
    try:
        for event, element in ElementTree.iterparse(io.BytesIO(picture), events=("start", "end")):
            if event == "start":
                inside.append(False)
                continue
            tag, repeats = element.tag, _repeats(element)
            repeated |= repeats
            if inside.pop() or repeats:
                inside[-1] = True
                repeating.add(element.get("id"))
    except (ElementTree.ParseError, ValueError, LookupError):
        return False
    return tag.rpartition("}")[2] == "svg" and not repeated & repeating


def _repeats(element: ElementTree.Element) -> set[str]:
    links = {value[1:] for name, value in element.items() if name.endswith("href") and value.startswith("#")}
    return links | {
        name for value in [element.text or "", *element.attrib.values()] for name in REPEATS.findall(value)
    }


def keep_pictures(cells: Sequence[NotebookNode], files: Mapping[str, bytes]) -> list[str]:
    """Make the pictures of text cells attachments. Return what an instructor should know of those that are not shown.

    Args:
        cells: the text cells of a notebook.
        files: path beside the notebook, with ``/`` → content of each file that was handed in with it.
    """
    keeper = _Keeper(files)
    for cell in cells:
        keeper.keep(cell)
    return keeper.notes[:MOST_NOTES]


class _Keeper:
    """Finds pictures and attaches them while there is room."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.paths = {_comparable(path): content for path, content in files.items()}
        self.names: dict[str, bytes | None] = {}
        for path, content in self.paths.items():
            name = posixpath.basename(path)
            self.names[name] = None if name in self.names else content
        self.kinds: dict[str, str] = {}
        self.left, self.room = MOST_PICTURES, LARGEST_PICTURES
        self.notes: list[str] = []

    def keep(self, cell: NotebookNode) -> None:
        given = cell.pop("attachments", None)
        self.given = given if isinstance(given, dict) else {}
        self.labels = {label.lower(): target for label, target in LABEL.findall(cell.source)}
        self.attached: dict[str, NotebookNode] = {}
        cell.source = PICTURE.sub(self._picture, plain(cell.source))
        if self.attached:
            cell.attachments = NotebookNode(self.attached)

    def _picture(self, match: re.Match[str]) -> str:
        self.left -= 1
        if self.left < 0:
            return match[0]
        if match[0].startswith("<"):
            return self._element(match)
        if match[2] is None:
            target = self.labels.get((match[3] or match[1]).lower(), "")
        else:
            target = re.split(r"\s+[\"'(]", match[2].strip(), maxsplit=1)[0]
        return self._shown(target.removeprefix("<").removesuffix(">"), match[1], match[0])

    def _element(self, match: re.Match[str]) -> str:
        attributes = BeautifulSoup(match[0], "html.parser").img.attrs
        shown = self._shown(str(attributes.get("src", "")), str(attributes.get("alt", "")), match[0])
        paragraph = match.string.rfind("\n\n", 0, match.start()) + 1
        if shown != match[0] and HTML_BLOCK.match(match.string, paragraph, match.start()):
            return f"\n\n{shown}\n\n"
        return shown

    def _shown(self, target: str, alternative: str, otherwise: str) -> str:
        """Return the Markdown that shows a picture, a link in its place, or what stood there before."""
        alternative = re.sub(r"[\[\]\\`<>$|\s]+", " ", alternative)[:200].strip()
        if not target:
            return otherwise
        if re.match(r"(?i)https?://", target):
            return f"![{alternative}]({target})"
        name = self._attach(target)
        return f"![{alternative}](attachment:{name})" if name else otherwise

    def _attach(self, target: str) -> str:
        """Attach the picture that is meant; return its name, or nothing after noting why."""
        picture = self._find(target)
        if picture is None:
            return self._note(target, "it was not handed in")
        digest = hashlib.sha256(picture).hexdigest()[:16]
        if digest not in self.kinds:
            self.kinds[digest] = kind_of(picture)
        kind = self.kinds[digest]
        if not kind:
            limit = f"it is no PNG, JPEG, GIF, WebP or plain SVG of at most {LARGEST_PICTURE // 10**6} MB"
            return self._note(target, limit)
        name = digest + re.sub("image/([a-z]+).*", r".\1", kind)
        if name not in self.attached:
            if len(picture) > self.room:
                return self._note(target, f"all together have more than {LARGEST_PICTURES // 10**6} MB")
            self.room -= len(picture)
            self.attached[name] = NotebookNode({kind: encoded(picture)})
        return name

    def _find(self, target: str) -> bytes | None:
        """Return the content of a picture, or None if there is none of this name."""
        scheme, _, rest = target.partition(":")
        if scheme.lower() == "data":
            head, _, content = rest.partition(",")
            return decoded(unquote(content)) if head.lower().endswith("base64") else unquote_to_bytes(content)
        if scheme.lower() == "attachment":
            bundle = self.given.get(rest, self.given.get(unquote(rest)))
            values = bundle.values() if isinstance(bundle, dict) else ()
            return next(filter(None, map(decoded, values)), b"" if values else None)
        path = _comparable(unquote(re.split(r"[?#]", target)[0]))
        return self.paths.get(path, self.names.get(posixpath.basename(path)))

    def _note(self, target: str, why: str) -> str:
        note = f"the picture {target[:60]!r} of a text cell is not shown: {why}"
        if note not in self.notes:
            self.notes.append(note)
        return ""


def _comparable(path: str) -> str:
    """Return a path as it is compared: systems differ in upper case, accents and the sign between folders."""
    return posixpath.normpath(unicodedata.normalize("NFC", path).casefold().replace("\\", "/"))
