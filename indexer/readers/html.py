"""HTML to the text a person reads. The door of selectolax."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from indexer.readers.hidden import hides, hiding_selectors
from indexer.readers.plain import decode, stem
from indexer.readers.submission import Submission

_INVISIBLE = ["script", "style", "noscript", "template", "svg", "nav", "iframe", "head"]
_BLOCKS = frozenset(
    """
    address article aside blockquote dd div dl dt fieldset figcaption figure footer form h1
    h2 h3 h4 h5 h6 header hr li main ol p pre section table tr ul
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
    hidden = _take_hidden(tree, styles)
    root = tree.body
    text = _text(root) if root is not None else ""
    return Submission(name, text, {}, title or stem(name), hidden)


def _take_hidden(tree: LexborHTMLParser, styles: str) -> int:
    """Remove what is not shown; returns how many passages of text that were."""
    by_rule = {n.mem_id for s in hiding_selectors(styles) for n in _matching(tree, s)}
    nodes = [
        node
        for node in tree.css("[hidden], [aria-hidden], [style], font[color]") + _all(tree, by_rule)
        if node.mem_id in by_rule or hides(node.tag or "", node.attributes, _backgrounds(node))
    ]
    count = 0
    taken: set[int] = set()
    for node in nodes:
        if node.mem_id in taken or _above(node) & taken:
            continue
        taken.add(node.mem_id)
        count += bool(node.text().strip())
    for node in nodes:
        if node.mem_id in taken:
            taken.discard(node.mem_id)
            node.decompose()
    return count


def _matching(tree: LexborHTMLParser, selector: str) -> list[LexborNode]:
    try:
        return tree.css(selector)
    except Exception:  # selectolax raises what it likes for a selector that it cannot read
        return []


def _all(tree: LexborHTMLParser, wanted: set[int]) -> list[LexborNode]:
    return [node for node in tree.css("*") if node.mem_id in wanted] if wanted else []


def _above(node: LexborNode) -> set[int]:
    found = set()
    while (parent := node.parent) is not None:
        found.add(parent.mem_id)
        node = parent
    return found


def _backgrounds(node: LexborNode) -> list[str]:
    """The styles of all elements around ``node``."""
    found = []
    while (parent := node.parent) is not None:
        found.append((parent.attributes.get("style") or "") if parent.tag != "-document" else "")
        found.append(parent.attributes.get("bgcolor") or "" if parent.tag != "-document" else "")
        node = parent
    return found


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
