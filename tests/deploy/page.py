"""The commands of `docs/operations.md`, by the names that the page gives them where nobody sees it."""

import re
import textwrap
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs/operations.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^( *)<!-- run: ([\w-]+) -->\n *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
BLOCKS = {name: textwrap.dedent(body) for _, name, body in BLOCK.findall(PAGE)}


def without_users(commands: str) -> str:
    """Return commands as they are where one user is all: root, the service and its operator."""
    return commands.replace("runuser -u nuovo -- ", "").replace(" -o nuovo -g nuovo", "")
