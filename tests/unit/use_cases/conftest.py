"""What holds in every test of a use case."""

from collections.abc import Iterator

import pytest

from tests.fakes.service import FakeService
from tests.fakes.token_codec import FakeTokenCodec
from tests.unit.use_cases.steps import MADE_UP_TOKEN


@pytest.fixture(autouse=True)
def no_event_holds_a_token(service: FakeService) -> Iterator[None]:
    """Look, after each test, for every token that was written or made up in every event that was recorded."""
    yield
    assert isinstance(service.tokens, FakeTokenCodec)
    events = repr(service.log.events)
    for token in (*service.tokens._written, MADE_UP_TOKEN):
        assert token not in events
