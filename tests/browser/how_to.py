"""The snippets of the how-to pages, as they stand there."""

import re
from pathlib import Path
from textwrap import dedent

PAGES = Path(__file__).parents[2] / "docs" / "how-to"
_FENCED = re.compile(
    r"^(?P<indent> *)```\w+\n *(?:#|//|<!--) (?P<name>\S+)(?: -->)?\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_FENCES = re.compile(r"^ *```", re.MULTILINE)


def snippets() -> dict[str, str]:
    """Return every snippet of every page by the file name in its first line. Raises if one has none."""
    found: dict[str, str] = {}
    for page in PAGES.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        blocks = [(block["name"], dedent(block["text"])) for block in _FENCED.finditer(text)]
        assert 2 * len(blocks) == len(_FENCES.findall(text)), f"{page.name}: a snippet without a name"
        assert not found.keys() & dict(blocks).keys(), f"{page.name}: a name twice"
        found.update(blocks)
    return found


def write_snippet(name: str, folder: Path, **replaced: str) -> Path:
    """Write the snippet of that name to `folder`, with every key of `replaced` that it must hold."""
    text = snippets()[name]
    for old, new in replaced.items():
        assert old in text, f"{name}: no {old}"
        text = text.replace(old, new)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
