"""Makes Markdown inert: a letter that nobody sees stands behind each sign that could begin something.

Such are ``<`` of a tag, ``!`` of a picture, ``]`` of a link, ``\\`` of a command. Only what is known and harmless as a
whole is left. So the text holds nothing that runs or fetches, whatever program reads it as Markdown, HTML or TeX.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Collection
from typing import Any

BREAK = "\u200c"
"""The zero-width non-joiner."""
LONGEST_TEXT = 20_000
"""How many letters a text may have: what renders it takes seconds for more."""
MOST_FORMULAS = 100
"""How many formulas of a text may begin as LaTeX has them; nbconvert looks for the end of each in all of the text."""
CUT = f"\n\n*(The rest is not shown: a text may have {LONGEST_TEXT} letters.)*"

BROKEN = re.compile(rf"(?<=[<\\!\]&`~]){BREAK}+")
CONTROL = re.compile(r"[\0-\x08\x0b-\x1f\x7f]")
SPACES = re.compile(r" {100,}")

VOID = {"br", "hr"}
DEEPEST = 200
"""How many tags may stand in each other: nbconvert, and with it Formgrader, fails at a few more."""
LEFT_OPEN = {"p", "li", "dt", "dd", "thead", "tbody", "tfoot", "tr", "th", "td"}
"""Tags that need no end."""
PLAIN_TAGS = (
    "a|abbr|big|blockquote|br?|caption|center|cite|code|d[dlt]|del|details|div|em|fig(?:ure|caption)|font|h[1-6r]"
    "|i|ins|kbd|li|mark|[ou]l|p|pre|q|s|samp|small|span|strike|strong|su[bp]|summary"
    "|t[dhrt]|table|tbody|thead|tfoot|u|var"
)
TAG = re.compile(
    rf"<(/?)({PLAIN_TAGS})(?=[\s/>])(?:[^<>\"']++|\"[^\"<>]*+\"|'[^'<>]*+')*+>",
    re.IGNORECASE,
)
NO_TAG = re.compile(r"<(?=[a-zA-Z/!?])")

URL = r"https?://[^\s<>()\[\]\\`\"'|*]+"
REWRITTEN = (
    (rf"(?<![^\s>()\[\]\\`\"'|*])<({URL})>", r"\1"),
    (rf"(?<![!<])!+\[\]\(({URL})\)", r"\1"),
    (rf"(?<!!)!+(\[[^\[\]]+\]\({URL}\))", r"\1"),
    (
        rf"(?<!!)<a\s(?:[^<>]*?\s)?href\s*=\s*[\"']?({URL})(?=[\s\"'>])[^<>]*>([^<>\[\]\\`\n]+)</a\s*>",
        r"[\2](\1)",
    ),
)
"""Links and pictures of the web in other forms, and the form which is known to be a link.

It is never longer, and nothing that one pattern leaves is found by it or one before it.
"""

NOTEBOOK = r"(?:[\w.+~-]|%20)+(?:/(?:[\w.+~-]|%20)+)*\.ipynb(?:#[^\s<>()\\`\"']*)?(?=[\s)]|\Z)"
HARMLESS = rf"(?:(?i:https?://|mailto:)|\#|{NOTEBOOK})"
"""Where a link may lead. Other files of a class lie on the same server as Formgrader, and could be pages that run."""
EMBEDDED = r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}"
REFERENCE = re.compile(
    rf"!\[[^\[\]\\`<>$|\n]*\]\((?:attachment:(?P<name>[\w.-]+)|{EMBEDDED})\)"
    rf"|!(?=\[)|\](?=[(:])(?!.[ \t\n]*{HARMLESS})",
    re.DOTALL,
)

LANGUAGES = re.compile(
    r"(?i)(?:py(?:thon3?|con)?|ipython3?|te?xt|none|bash|sh|json|toml|(?:la)?tex|sql|r|diff)?"
)
"""What code of a text may be coloured as. Others are drawn (mermaid), or read by patterns that take minutes (Java)."""
FENCE = re.compile(r"(`{3,}|~{3,})([ \t]*)(?=([^\n]*))")

COMMAND = re.compile(
    r"\\(?=href|url|require|html|class|css|style|unicode|mmlToken|data|bbox|includegraphics|csname|setOptions"
    r"|(?:def|gdef|edef|xdef|let|begingroup|endgroup)(?![a-zA-Z])|(?:re|provide)?new(?:command|env|column)"
    r"|Declare|Newextarrow)"
)
"""Commands of MathJax and KaTeX that do more than show a formula, or define others that could."""
OPENING = re.compile(r"\\\\(?=[(\[])|\\(?=begin\{)")
ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});?")


def plain(value: Any) -> str:
    """Return the text that a value of a notebook holds, which may be a list of lines; nothing for other values."""
    if isinstance(value, list):
        value = "".join(part for part in value if isinstance(part, str))
    # Half of a surrogate pair can be in JSON, but not in a file.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def text(source: str, attached: Collection[str] = ()) -> str:
    """Return Markdown that looks the same and is inert. What was returned once is returned unchanged.

    Args:
        source: the Markdown of a text cell or of an output.
        attached: the names of the pictures that go with it.
    """
    source = CONTROL.sub("", plain(source).replace("\r\n", "\n").replace("\r", "\n"))
    source = SPACES.sub(" " * 100, BROKEN.sub("", source))
    if len(source) > LONGEST_TEXT:
        source = source[: LONGEST_TEXT - len(CUT)] + CUT
    for pattern, replacement in REWRITTEN:
        source = re.sub(pattern, replacement, source, flags=re.IGNORECASE)
    source = _plain_tags(source)
    source = REFERENCE.sub(lambda match: _reference(match, attached), source)
    source = FENCE.sub(_fence, source)
    source = ENTITY.sub(_entity, source)
    source = without_commands(source)
    found = iter(range(MOST_FORMULAS))
    return OPENING.sub(lambda match: match[0] + ("" if next(found, None) is not None else BREAK), source)


def without_commands(source: str) -> str:
    """Return TeX, or a text with TeX in it, in which no command does more than show something."""
    return COMMAND.sub(r"\\" + BREAK, source)


def _plain_tags(source: str) -> str:
    """Leave plain tags that are closed, without their attributes; no other ``<`` begins one."""
    pieces: list[str] = []
    openings: list[tuple[str, int]] = []
    names: Counter[str] = Counter()
    unclosed: set[int] = set()
    end = 0
    for tag in TAG.finditer(source):
        name = tag[2].lower()
        known = not tag[1] or names[name]
        pieces += [
            NO_TAG.sub("<" + BREAK, source[end : tag.start()]),
            f"<{tag[1]}{name}>" if known else tag[0],
        ]
        end = tag.end()
        if not known:
            unclosed.add(len(pieces) - 1)
        elif tag[1]:
            unclosed |= _close(name, openings, names)
        elif name not in VOID and len(openings) == DEEPEST:
            unclosed.add(len(pieces) - 1)
        elif name not in VOID:
            openings.append((name, len(pieces) - 1))
            names[name] += 1
    unclosed |= {place for name, place in openings if name not in LEFT_OPEN}
    for place in unclosed:
        pieces[place] = pieces[place].replace("<", "<" + BREAK, 1)
    return "".join(pieces) + NO_TAG.sub("<" + BREAK, source[end:])


def _close(name: str, openings: list[tuple[str, int]], names: Counter[str]) -> set[int]:
    """Take a tag and those within it off the list of open ones; return the places of those that had to be closed."""
    unclosed = set()
    while True:
        inner, place = openings.pop()
        names[inner] -= 1
        if inner == name:
            return unclosed
        if inner not in LEFT_OPEN:
            unclosed.add(place)


def _reference(match: re.Match[str], attached: Collection[str]) -> str:
    if match[0] in "!]":
        return match[0] + BREAK
    if match["name"] is None or match["name"] in attached:
        return match[0]
    return match[0].replace("![", f"!{BREAK}[").replace("](", f"]{BREAK}(")


def _fence(match: re.Match[str]) -> str:
    return match[0] if LANGUAGES.fullmatch(match[3].strip()) else match[1] + BREAK + match[2]


def _entity(match: re.Match[str]) -> str:
    """Break what stands for a letter or a backslash: of these a command could be spelled."""
    meant = html.unescape(match[0])
    spelled = meant != match[0] and re.search(r"[a-zA-Z\\]", meant)
    return f"&{BREAK}{match[0][1:]}" if spelled else match[0]
