"""`python -m entrypoints.gunicorn`: gunicorn with the packaged settings, in any folder. `nuovo serve` becomes this."""

import os
from argparse import ArgumentParser, Namespace
from importlib.resources import files
from typing import Any

from gunicorn.app.wsgiapp import WSGIApplication


class Application(WSGIApplication):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's own command but for two things: its settings are ours, and no folder's packages come before them."""

    def init(self, parser: ArgumentParser, opts: Namespace, args: list[str]) -> Any:
        """Take the packaged settings, unless others are named."""
        opts.config = opts.config or str(files("entrypoints.gunicorn") / "conf.py")
        return super().init(parser, opts, args)

    def chdir(self) -> None:
        """Go to the configured folder. Gunicorn would also put it first in `sys.path`, whatever packages lie there."""
        os.chdir(self.cfg.chdir)


if __name__ == "__main__":
    Application().run()
