"""The scripts that the servers run, each in a file of its own beside this one."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Script:
    """One script, and the name by which a server that has seen it knows it."""

    text: bytes
    sha: str

    @classmethod
    def load(cls, name: str) -> "Script":
        """Return the script in `name.lua`."""
        text = files(__package__).joinpath(f"{name}.lua").read_bytes()
        return cls(text=text, sha=hashlib.sha1(text, usedforsecurity=False).hexdigest())
