"""HTML to the text a person reads. The door of selectolax."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

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
    ``pre``."""
    tree = LexborHTMLParser(decode(data))
    title_node = tree.css_first("title")
    title = " ".join(title_node.text().split()) if title_node else ""
    for tag in _INVISIBLE:
        for node in tree.css(tag):
            node.decompose()
    root = tree.body
    text = _text(root) if root is not None else ""
    return Submission(name, text, {}, title or stem(name))


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
