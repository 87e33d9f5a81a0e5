"""Every store of sessions by name."""

import pytest

from tests.stores import KINDS


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Name a kind of store."""
    name: str = request.param
    return name
