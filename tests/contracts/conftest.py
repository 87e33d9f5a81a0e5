"""The adapters that a port's contract is run on, its fake among them."""

import pytest

from ports.sessions import Sessions
from tests.race import Race
from tests.stores import KINDS, Opened


@pytest.fixture(params=KINDS)
def sessions(request: pytest.FixtureRequest, opened: Opened) -> Sessions:
    """Return an empty store of each kind."""
    return opened(request.param).sessions


@pytest.fixture
def race(opened: Opened) -> Race:
    return Race(opened.close)
