"""Rounds of half a minute each, for `tox -e failover`: the other environments leave them out."""

import os

import pytest

from tests.failover.patroni import is_installed

_IS_MEANT = "NUOVO_TEST_FAILOVER" in os.environ
collect_ignore_glob = [] if _IS_MEANT else ["test_*.py"]


@pytest.fixture(scope="session", autouse=True)
def installed() -> None:
    if not is_installed():
        pytest.exit("Skipped: Debian has what is missing here: apt-get install etcd-server postgresql", 0)
