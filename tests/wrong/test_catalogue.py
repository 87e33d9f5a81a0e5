"""No variant is wrong in vain: each is caught by a test that names it."""

from tests.simulation.test_invariants import CAUGHT_BY
from tests.simulation.test_session_machine import CAUGHT
from tests.stress.test_wrong_variants import FOUND_BY
from tests.wrong.rules import RULES
from tests.wrong.stores import STORES


def test_every_wrong_rule_and_store_is_caught_somewhere() -> None:
    assert {*RULES.values(), *STORES.values()} == {*CAUGHT_BY, *CAUGHT, *FOUND_BY}
