"""HTML to the text a person reads. The door of selectolax."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from selectolax.lexbor import LexborHTMLParser, LexborNode

from indexer.readers.hidden import SPECIAL, Look, look_of
from indexer.readers.plain import decode, stem
from indexer.readers.styles import Rule, declarations, rules
from indexer.readers.submission import Submission

_INVISIBLE = """
    script style noscript template svg nav iframe head canvas audio video datalist noembed noframes
    meter progress annotation annotation-xml
    """.split()
_MOST_WORK = 200_000_000
"""Elements looked at for all rules of a page together: a second or two. Rules beyond are not
read."""
_COST_OF_A_MATCH = 100
"""An element that matches, in elements that do not."""
_BLOCKS = frozenset(
    """
    address article aside blockquote dd details dialog div dl dt fieldset figcaption figure footer
    form h1 h2 h3 h4 h5 h6 header hr li main ol p pre section summary table tr ul
    """.split()
)


def read(name: str, data: bytes) -> Submission:
    """The visible text of a page: one block element a paragraph, white space folded outside
    ``pre``. What its styles hide from a person is left out and counted."""
    tree = LexborHTMLParser(decode(data))
    title_node = tree.css_first("title")
    title = " ".join(title_node.text().split()) if title_node else ""
    styles = "\n".join(node.text() for node in tree.css("style"))
    for tag in _INVISIBLE:
        for node in tree.css(tag):
            node.decompose()
    hidden = _take_hidden(tree, _said_by_sheet(tree, styles))
    root = tree.body
    text = _text(root) if root is not None else ""
    return Submission(name, text, {}, title or stem(name), hidden)


def _said_by_sheet(tree: LexborHTMLParser, styles: str) -> Mapping[int, Sequence[Rule]]:
    """The rules that match an element, by its id, the weightiest last."""
    found: dict[int, list[Rule]] = {}
    nodes = len(tree.css("*"))
    work = 0
    for rule in sorted(rules(styles), key=lambda rule: rule.weight):
        matching = _matching(tree, rule.selector)
        work += nodes + _COST_OF_A_MATCH * len(matching)
        if work > _MOST_WORK:
            break
        for node in matching:
            found.setdefault(node.mem_id, []).append(rule)
    return found


def _said(node: LexborNode, by_sheet: Sequence[Rule]) -> dict[str, str]:
    """All declarations for an element; what is important in a sheet beats its own attribute."""
    plain, important = declarations(node.attributes.get("style") or "")
    said: dict[str, str] = {}
    for each in (
        *(rule.declarations for rule in by_sheet),
        plain,
        *(rule.important for rule in by_sheet),
        important,
    ):
        said.update(each)
    return said


def _take_hidden(tree: LexborHTMLParser, by_sheet: Mapping[int, Sequence[Rule]]) -> int:
    """Remove what is not shown; returns how many passages of text that were.

    What is hidden by its look alone may hold what is seen, so it is removed text by text."""
    passages: set[int] = set()
    unseen: list[LexborNode] = []
    stack = [(tree.root, Look(), 0)]
    while stack:
        node, look, hidden_in = stack.pop()
        if node is None or node.tag == "-comment":
            continue
        if node.tag == "-text":
            if hidden_in and (node.text_content or "").strip():
                unseen.append(node)
                passages.add(hidden_in)
            continue
        within = _look(node, by_sheet.get(node.mem_id, ()), look)
        if within is None:
            unseen.append(node)
            if node.text().strip():
                passages.add(node.mem_id)
            continue
        if within is not look:
            hidden_in = (hidden_in or node.mem_id) if within.hides else 0
        stack.extend((child, within, hidden_in) for child in node.iter(include_text=True))
    for node in unseen:
        node.decompose()
    return len(passages)


def _look(node: LexborNode, by_sheet: Sequence[Rule], around: Look) -> Look | None:
    tag, attributes = node.tag or "", node.attributes
    if not attributes and not by_sheet and tag not in SPECIAL:
        return around
    return look_of(tag, attributes, _said(node, by_sheet), around)


def _matching(tree: LexborHTMLParser, selector: str) -> list[LexborNode]:
    try:
        return tree.css(selector)
    except Exception:  # selectolax raises what it likes for a selector that it cannot read
        return []


def _text(root: LexborNode) -> str:
    """Walked with a stack of its own: pages nest deeper than Python's calls may."""
    parts: list[str] = []
    stack: list[tuple[LexborNode | str, bool]] = [(root, False)]
    while stack:
        node, verbatim = stack.pop()
        if isinstance(node, str):
            parts.append(node)
        elif node.tag == "-text":
            content = node.text_content or ""
            parts.append(content if verbatim else re.sub(r"\s+", " ", content))
        elif node.tag == "br":
            parts.append("\n")
        else:
            verbatim = verbatim or node.tag == "pre"
            block = "\n\n" if node.tag in _BLOCKS else " " if node.tag in ("td", "th") else ""
            parts.append(block)
            stack.append((block, verbatim))
            children = list(node.iter(include_text=True))
            stack.extend((child, verbatim) for child in reversed(children))
    lines = re.sub(r"(?:(?<![ \t])[ \t]++)?\n[ \t]*+", "\n", "".join(parts))
    return re.sub(r"\n{3,}", "\n\n", lines).strip()
