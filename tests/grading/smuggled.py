"""Notebooks that students could hand in: one with all that was ever smuggled into a page, one with honest work."""

from __future__ import annotations

import base64
import copy
import io
import re

from bs4 import BeautifulSoup
from nbformat import NotebookNode, v4
from PIL import Image

SIDE = 40
"""Width and height of each honest picture."""


def picture(colour: str, kind: str = "png") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), colour).save(file, kind)
    return file.getvalue()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


# --- what must not run: RUN is a program that leaves a mark, GET an address on the server that counts

TEXTS = {
    "heading with the name of a box": "# explain\n\n# explain-comment",
    "script": "<script>RUN</script>",
    "script in a paragraph": "a <script>RUN</script> b",
    "picture with an error": '<img src="nowhere" onerror="RUN">',
    "picture with an error, upper case": "<IMG\nSRC=nowhere\nOnError='RUN'>",
    "drawing": '<svg onload="RUN"></svg>',
    "drawing within": "<svg><animate onbegin='RUN' attributeName=x dur=1s></svg>",
    "frame": '<iframe srcdoc="<script>parent.RUN</script>"></iframe>',
    "frame of another page": '<iframe src="GET"></iframe>',
    "frame of a program": '<iframe src="javascript:parent.RUN"></iframe>',
    "object": '<object data="GET"></object><embed src="GET">',
    "form": '<form action="GET"><button formaction="javascript:RUN" autofocus onfocus="RUN">x</button></form>',
    "field": '<input autofocus onfocus="RUN">',
    "sheet": "<style>@import 'GET'; body { background: url(GET) }</style>",
    "style": '<div style="background: url(GET)">x</div>',
    "linked sheet": '<link rel="stylesheet" href="GET">',
    "refresh": '<meta http-equiv="refresh" content="0; url=GET">',
    "base": '<base href="GET">\n\n![](relative.png)',
    "details": '<details open ontoggle="RUN"><summary>x</summary></details>',
    "video": '<video src="GET" onerror="RUN" poster="GET"></video><audio src="GET"></audio>',
    "template": "<template><script>RUN</script></template><template shadowrootmode=open><img src=GET></template>",
    "no script": '<noscript><p title="</noscript><img src=x onerror=RUN>"></noscript>',
    "formula that changes": '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 '
    'onerror=RUN&gt;">',
    "formula in a form": '<form><math><mtext></form><form><mglyph><style></math><img src onerror="RUN">',
    "comment": "<!--><img src=x onerror=RUN>-->",
    "declaration": "<!A x><img src=x onerror=RUN>",
    "instruction": "<?x ><img src=x onerror=RUN>",
    "within a table": "<table><tr><td>\n<https://a/tabindex=1/autofocus/onfocus='RUN'>\n</table>",
    "title that ends": '[x](#a "\\"><img src=x onerror=RUN>")',
    "quote in a target": '![x](a"onerror="RUN)',
    "quote in a label": '![a"onerror="RUN](nowhere.png)',
    "code with a name": '```"><img/src=x/onerror=RUN>\nx\n```',
    "mermaid": "```mermaid\n</pre><img src=x onerror=RUN>\n```",
    "encoded mermaid": "~~~&#109;ermaid\n</pre><img src=x onerror=RUN>\n~~~",
    "remote picture": "![x](GET)",
    "remote picture by a label": "![x][far]\n\n[far]: GET",
    "remote picture by its name": "![near]\n\n[near]: <GET>",
    "remote picture as HTML": '<img alt="x" src="GET">',
    "remote picture in sizes": '<img srcset="GET 1x">',
    "remote picture behind code": "![a`](attachment:good.png)`](GET)",
    "picture data with a quote": "![x](attachment:bad.png)",
    "address of a program": "[x](javascript:RUN)",
    "address with a line break": "[x](<java\nscript:RUN>)",
    "address with an entity": "[x](java&#x73;cript:RUN)",
    "address with a tab": "[x](java&Tab;script:RUN)",
    "address behind a space": "[x]( &#1;javascript:RUN)",
    "address without a prefix": "[x](files/javascript:RUN)",
    "address as a link": "<javascript:RUN>",
    "address by a label": "[y]\n\n[y]: javascript:RUN",
    "address by a label in a list": "- > [z]:\n  > javascript:RUN\n\n[z]",
    "address of data": "[x](data:text/html,<script>RUN</script>)",
    "address as HTML": '<a href="javascript:RUN">x</a>',
    "address of a file": "[x](..%2f..%2f..%2fsubmitted%2fx%2fevil.html)",
    "address in a formula": "$\\href{javascript:RUN}{x}$ $$\\href{javascript:RUN}{x}$$",
    "address in a spelled formula": "$&#92;href{javascript:RUN}{x}$ \\\\(\\\\href{javascript:RUN}{x}\\\\)",
    "address in a defined formula": "$\\def\\x#1{\\h#1}\\x{ref{javascript:RUN}}{x}$",
    "formula of HTML": "$\\text{</math><img src=x onerror=RUN>}$ $\\text{&lt;img src=x onerror=RUN>}$",
    "picture in a formula": "$\\style{background:url(GET)}{x}\\bbox[background:url(GET)]{x}$",
}
SHOWN = {
    **{name: {"text/html": text} for name, text in TEXTS.items() if "<" in text},
    "javascript": {"application/javascript": "RUN"},
    "widget": {"application/vnd.jupyter.widget-view+json": {"model_id": "</script><script>RUN</script>"}},
    "SVG": {
        "image/svg+xml": '<svg xmlns="http://www.w3.org/2000/svg" onload="RUN"><script>RUN</script>'
        '<image href="GET"/></svg>'
    },
    "SVG in HTML": {"text/html": "<svg><script>RUN</script></svg>"},
    "PNG with a quote": {"image/png": '"><img src=x onerror=RUN>'},
    "JPEG with a quote": {"image/jpeg": '" onerror="RUN'},
    "Markdown": {"text/markdown": "<img src=x onerror=RUN> ![x](GET)"},
    "LaTeX": {"text/latex": "$\\href{javascript:RUN}{x}$</div><img src=x onerror=RUN>"},
    "another type": {'text/html; charset=x"><script>RUN</script>': "RUN"},
    "data picture": {
        "text/html": '<img src="data:image/svg+xml,<svg onload=RUN>"><img src="data:text/html,x">'
    },
    "not even a text": {"text/html": {"a": "<script>RUN</script>"}, "image/png": 5},
}
METADATA = {
    "isolated": ({"text/html": {"isolated": True}}, {"text/html": "<img src='GET'>"}),
    "file name": ({"filenames": {"image/png": "GET"}}, {"image/png": encoded(picture("red"))}),
    "width": ({"image/png": {"width": "1 onload=RUN"}}, {"image/png": encoded(picture("red"))}),
}
ELSEWHERE = {
    "heading with the name of a box",
    "no script",
    "formula that changes",
    "formula in a form",
    "within a table",
    "title that ends",
    "quote in a target",
    "quote in a label",
    "code with a name",
    "encoded mermaid",
    "picture data with a quote",
    "address with a line break",
    "address with a tab",
    "address of a file",
    "address in a formula",
    "address in a spelled formula",
    "address in a defined formula",
    "formula of HTML",
    "picture in a formula",
    "output: base",
    "output: no script",
    "output: formula that changes",
    "output: formula in a form",
    "output: within a table",
    "output: code with a name",
    "output: remote picture by its name",
    "output: address with a line break",
    "output: address as a link",
    "output: widget",
    "output: SVG",
    "output: PNG with a quote",
    "output: JPEG with a quote",
    "output: LaTeX",
    "output: another type",
    "output: data picture",
    "output: not even a text",
    "odd places",
}
"""What stock nbconvert escapes by itself, or only MathJax, Formgrader or another program would run."""


def armed(value, name: str, address: str):
    """Return a value with its RUN and GET filled in."""
    if isinstance(value, dict):
        return {armed(key, name, address): armed(one, name, address) for key, one in value.items()}
    if not isinstance(value, str):
        return value
    name = name.replace(" ", "_").replace(":", "")
    run = f"(top.ran=top.ran||[]).push(/{name}/.source)"
    return value.replace("parent.RUN", run).replace("RUN", run).replace("GET", f"{address}/{name}")


def smuggled(address: str) -> dict[str, NotebookNode]:
    """Return a cell for each way, as a kernel or an editor could have written it."""
    bad = armed('" onerror="RUN', "bad attachment", address)
    attachments = {"bad.png": {"image/png": bad}, "good.png": {"image/png": encoded(picture("red"))}}
    cells = {}
    for name, source in TEXTS.items():
        cells[name] = v4.new_markdown_cell(
            armed(source, name, address), attachments=copy.deepcopy(attachments)
        )
        raw = v4.new_raw_cell(armed(source, f"raw {name}", address), metadata={"raw_mimetype": "text/html"})
        cells[f"raw: {name}"] = raw
    for name, data in SHOWN.items():
        cells[f"output: {name}"] = showing(armed(data, f"output {name}", address))
    for name, (metadata, data) in METADATA.items():
        cells[f"metadata: {name}"] = showing(armed(data, name, address))
        cells[f"metadata: {name}"].outputs[0].metadata = NotebookNode(armed(metadata, name, address))
    odd = armed("</pre><script>RUN</script>", "odd places", address)
    cell = v4.new_code_cell(
        odd, execution_count=1, metadata={"tags": [odd], "alt": odd, "magics_language": odd}, id="x"
    )
    cell.update(id=odd, execution_count=odd)
    cell.outputs = [
        NotebookNode(output_type="stream", name=odd, text=odd),
        NotebookNode(output_type="error", ename=odd, evalue=odd, traceback=[odd, f"\x1b[{odd}m"]),
        NotebookNode(
            output_type="execute_result", data={"text/plain": odd}, metadata={}, execution_count=odd
        ),
    ]
    cells["odd places"] = cell
    return cells


def hostile_notebook(address: str) -> NotebookNode:
    """Return a notebook with all that is smuggled."""
    title = armed("</title><script>RUN</script>", "title", address)
    nb = v4.new_notebook(metadata={"title": title, "language_info": {"name": title, "pygments_lexer": title}})
    nb.cells = list(smuggled(address).values())
    return nb


def showing(data: dict) -> NotebookNode:
    cell = v4.new_code_cell("show()", execution_count=1)
    cell.outputs = [
        NotebookNode(output_type="display_data", data=NotebookNode(data), metadata=NotebookNode())
    ]
    return cell


# --- how a page is judged without a browser

NAMES = """a abbr b big blockquote br caption center cite code dd del details div dl dt em figcaption figure font h1 h2
h3 h4 h5 h6 hr i img input ins kbd li mark ol p pre q s samp small span strike strong sub summary sup table tbody td
tfoot th thead tr tt u ul var math mrow mi mn mo mtext mspace mfrac msqrt mroot msub msup msubsup munder mover
munderover mtable mtr mtd mstyle mpadded mphantom menclose"""
ATTRIBUTES = """alt title class align valign id start rel width height colspan rowspan border scope type disabled
checked xmlns display displaystyle scriptlevel mathvariant stretchy fence form lspace rspace columnalign
columnspacing rowspacing linethickness accent movablelimits"""


def dangers(page: str) -> list[str]:
    """Return the tags and attributes of HTML that could do something."""
    found = []
    for tag in BeautifulSoup(page, "html.parser").find_all(True):
        found += [tag.name] if tag.name not in NAMES.split() else []
        for name, value in tag.attrs.items():
            known = {
                "href": re.match(r"(https?://|mailto:|#|[\w.%/+~-]+\.ipynb(#|$))", str(value), re.IGNORECASE),
                "src": re.fullmatch(r"data:image/[a-z+]+;base64,[A-Za-z0-9+/=\s]+", str(value)),
                "style": re.fullmatch(r"((text-align|width|max-width):[\w %]+;?)*", str(value)),
            }
            found += [] if known.get(name, name in ATTRIBUTES.split()) else [f"{tag.name} {name}={value}"]
    return found


# --- what must be seen

ATTACHED, IN_TEXT, IN_HTML, HANDED_IN, IN_TABLE = "red", "green", "blue", "orange", "purple"
HONEST = f"""# Task 1: batches

Some *words*, `code`, a [link](https://pytorch.org), and $\\frac{{1}}{{N}} \\sum_i x_i^2 < \\epsilon$ in a line.

$$
L = -\\log \\frac{{e^{{z_y}}}}{{\\sum_j e^{{z_j}}}}
$$

| rate | loss |
|-----:|-----:|
| 0.1  | 0.52 |
| 0.01 | 0.61 |

![attached](attachment:a%20plot.png) ![in the text](data:image/png;base64,{encoded(picture(IN_TEXT))})
<img width="30" src='data:image/png;base64,{encoded(picture(IN_HTML))}' alt=html> ![handed in](images/plot.png)

<table align="center">
  <tr>
    <td><img src="images/Table.JPG" width=200></td>
    <td>in a table</td>
  </tr>
</table>

```python
for i in range(3):
    if x[i]<y: print("<b>")
```
"""
FRAME = (
    "<div>\n<style scoped>\n .dataframe tbody tr th {{ vertical-align: top; }}\n</style>\n"
    '<table border="1" class="dataframe"><thead><tr style="text-align: right;"><th></th><th>loss</th></tr></thead>'
    "<tbody><tr><th>0</th><td>0.25</td></tr><tr><th>1</th><td>0.125</td></tr></tbody></table></div>"
)
FIGURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="30"><circle cx="15" cy="15" r="9"/></svg>'
)
FILES = {
    "images/plot.png": picture(HANDED_IN),
    "images/table.jpg": picture(IN_TABLE, "jpeg"),
    "notes.txt": b"x",
}
PICTURES = 5 + 4


def honest_notebook() -> NotebookNode:
    """Return a notebook with everything that students show, without harm."""
    attachments = {"a plot.png": {"image/png": encoded(picture(ATTACHED))}}
    nb = v4.new_notebook(cells=[v4.new_markdown_cell(HONEST, attachments=attachments)])
    for data in (
        {"text/html": FRAME, "text/plain": "   loss\n0  0.25\n1  0.125"},
        {"image/svg+xml": FIGURE},
        {"image/png": encoded(picture("navy")) + "\n", "text/plain": "<Figure>"},
        {
            "text/html": f'<img alt="a figure" style="width: 60px; max-width: 100%" src="data:image/png;base64,'
            f'{encoded(picture("teal"))}">',
            "text/plain": "a figure",
        },
        {"image/gif": encoded(picture("grey", "gif"))},
        {"text/latex": "$\\displaystyle \\alpha + \\beta$", "text/plain": "alpha + beta"},
        {"text/markdown": "**bold** and $\\gamma$"},
        {"text/plain": "tensor([1., 2.])"},
    ):
        nb.cells.append(showing(data))
    nb.cells.append(v4.new_code_cell("1 / 0", execution_count=9))
    nb.cells[-1].outputs = [
        v4.new_output("stream", text="epoch 1\n"),
        v4.new_output(
            "error",
            ename="ZeroDivisionError",
            evalue="division by zero",
            traceback=["\x1b[31mZeroDivisionError\x1b[39m: division by zero"],
        ),
    ]
    return nb
