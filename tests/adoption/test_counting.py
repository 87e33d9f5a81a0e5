"""How far a move has come: live sessions by where they came from, and when the last old token expires."""

from domain.model.adoption import Scheme
from domain.use_cases.count_adopted_sessions import Adopted, CountAdoptedSessions
from tests.fakes.clock import START
from tests.fakes.foreign_tokens import FakeForeignTokens
from tests.fakes.service import LOGIN, FakeService
from tests.stores import Opened

DAY = 86_400


def test_live_adopted_sessions_are_counted_on_every_store(opened: Opened, kind: str) -> None:
    store, foreign = opened(kind), FakeForeignTokens()
    service = FakeService(sessions=store.sessions, foreign=foreign)
    count = CountAdoptedSessions(transfer=store.transfer)
    assert count(now=START) == []
    for days in (1, 5, 3):
        service.refresh(foreign.issue("ada", expires_at=START + days * DAY))
    revoked = foreign.issue("ada", expires_at=START + 9 * DAY)
    service.refresh(revoked)
    service.revoke(revoked)
    service.refresh(foreign.issue("bob", expires_at=START + 8 * DAY))
    service.end_all("bob", by=LOGIN)
    service.sign_in("ada")
    expected = Adopted(scheme=Scheme.SIMPLEJWT, count=3, expires_at=START + 5 * DAY)
    assert count(now=START) == [expected]
    assert count(now=START + 60 * DAY) == []
