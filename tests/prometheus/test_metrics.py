"""What is counted, in one process and in several."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from domain.model.actors import THE_OPERATOR, THE_USER, Actor, ActorKind
from domain.model.errors import RefusalCause, StoreUnavailableError
from domain.model.sessions import RevocationReason
from infrastructure.prometheus.metrics import CountingSecurityLog, PrometheusMetrics
from ports.security_log import Happening, SecurityEvent
from tests.fakes.security_log import FakeSecurityLog

LOGIN = Actor(kind=ActorKind.SERVICE, name="login")
WORKER = """
import sys
from infrastructure.prometheus.metrics import PrometheusMetrics
from ports.security_log import Happening, SecurityEvent

metrics = PrometheusMetrics(about={}, check_ready=lambda: None)
for line in sys.stdin:
    for _ in range(int(line)):
        metrics.count(SecurityEvent(happening=Happening.ROTATED))
        metrics.observe_requests("/refresh_token", "POST", 200)(0.5)
    print(metrics.exposition().decode() if line == "0\\n" else "counted", flush=True)
"""


def samples(exposition: bytes | str) -> dict[str, float]:
    """Return every sample that is not 0, as `name{label="value",…}`."""
    text = exposition if isinstance(exposition, str) else exposition.decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()) if value)
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return {name: value for name, value in found.items() if value}


def make(check_ready: Callable[[], None] = lambda: None) -> PrometheusMetrics:
    return PrometheusMetrics(about={"nuovo_build_info": {"version": "1.2.3"}}, check_ready=check_ready)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a process answer for itself, whatever the tests were started with."""
    for name in ("PROMETHEUS_MULTIPROC_DIR", "PROMETHEUS_WORKER_SLOT"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("event", "counted"),
    [
        (SecurityEvent(happening=Happening.ROTATED), {'nuovo_refreshes_total{outcome="rotated"}': 1}),
        (SecurityEvent(happening=Happening.REPEATED), {'nuovo_refreshes_total{outcome="repeated"}': 1}),
        (SecurityEvent(happening=Happening.RECOVERED), {'nuovo_refreshes_total{outcome="recovered"}': 1}),
        (SecurityEvent(happening=Happening.KEPT), {'nuovo_refreshes_total{outcome="kept"}': 1}),
        (
            SecurityEvent(happening=Happening.HEALED, lost_generations=7),
            {'nuovo_refreshes_total{outcome="healed"}': 1, "nuovo_lost_rotations_total": 7},
        ),
        (
            SecurityEvent(happening=Happening.REFUSED, cause=RefusalCause.BAD_SIGNATURE),
            {'nuovo_refreshes_total{cause="bad_signature",outcome="refused"}': 1},
        ),
        (
            SecurityEvent(happening=Happening.STARTED, actor=LOGIN),
            {'nuovo_sessions_started_total{actor="service:login"}': 1},
        ),
        (
            SecurityEvent(happening=Happening.BOUND, session_id="a-session"),
            {"nuovo_sessions_bound_total": 1},
        ),
        (
            SecurityEvent(happening=Happening.REFUSED, cause=RefusalCause.KEY_NOT_PROVEN),
            {'nuovo_refreshes_total{cause="key_not_proven",outcome="refused"}': 1},
        ),
        (
            SecurityEvent(happening=Happening.ENDED, cause=RevocationReason.REUSE),
            {'nuovo_sessions_ended_total{reason="reuse"}': 1},
        ),
        (
            SecurityEvent(happening=Happening.ALL_ENDED, actor=THE_USER, count=12),
            {'nuovo_sessions_ended_total{reason="ended_by_user"}': 12},
        ),
        (SecurityEvent(happening=Happening.ALL_ENDED, actor=THE_USER, count=0), {}),
        (
            SecurityEvent(happening=Happening.EVERYBODY_ENDED, actor=THE_OPERATOR, count=3),
            {'nuovo_sessions_ended_total{reason="ended_by_operator"}': 3},
        ),
        (SecurityEvent(happening=Happening.EVERYBODY_ENDED, actor=THE_OPERATOR), {}),
        (
            SecurityEvent(happening=Happening.ACCESS_REFUSED, cause=RefusalCause.EXPIRED),
            {'nuovo_credentials_refused_total{cause="expired",credential="access_token"}': 1},
        ),
        (
            SecurityEvent(happening=Happening.SERVICE_REFUSED),
            {'nuovo_credentials_refused_total{credential="service"}': 1},
        ),
    ],
    ids=lambda value: value.happening.value if isinstance(value, SecurityEvent) else "",
)
def test_an_event_is_counted(event: SecurityEvent, counted: dict[str, float]) -> None:
    """And handed on."""
    metrics, log = make(), FakeSecurityLog()
    before = samples(metrics.exposition())

    CountingSecurityLog(metrics, log).record(event)

    after = samples(metrics.exposition())
    assert {name: value for name, value in after.items() if before.get(name) != value} == counted
    assert log.events == [event]


def test_every_happening_is_counted_and_nothing_of_a_user_or_a_session_is_in_a_label() -> None:
    metrics = make()
    for happening in Happening:
        metrics.count(
            SecurityEvent(
                happening=happening,
                session_id="a-session",
                user_id="a-user",
                generation=4711,
                actor=LOGIN,
                spared="the-spared",
            )
        )
    for canary in ("a-session", "a-user", "4711", "the-spared"):
        assert canary not in metrics.exposition().decode()


def test_counters_that_alerts_rest_on_are_there_before_they_are_counted() -> None:
    """Prometheus' `increase` sees no first count of a series that comes to be with it."""
    text = make().exposition().decode()
    for outcome in ("rotated", "repeated", "recovered", "healed", "kept"):
        assert f'nuovo_refreshes_total{{cause="",outcome="{outcome}"}} 0.0' in text
    for cause in RefusalCause:
        assert f'nuovo_refreshes_total{{cause="{cause}",outcome="refused"}} 0.0' in text
    for cause in RefusalCause:
        assert f'nuovo_credentials_refused_total{{cause="{cause}",credential="access_token"}} 0.0' in text
    assert 'nuovo_credentials_refused_total{cause="",credential="service"} 0.0' in text
    for reason in RevocationReason:
        assert f'nuovo_sessions_ended_total{{reason="{reason}"}} 0.0' in text


def test_an_answer_depends_on_no_figure() -> None:
    class Broken(PrometheusMetrics):
        def count(self, event: SecurityEvent) -> None:
            raise OSError

    log = FakeSecurityLog()
    CountingSecurityLog(Broken(about={}, check_ready=lambda: None), log).record(SecurityEvent(happening=Happening.KEPT))
    assert log.happenings == [Happening.KEPT]


def test_times_are_kept_by_route_method_and_class_of_status() -> None:
    metrics = make()
    for status, seconds in ((200, 0.004), (201, 0.006), (503, 7)):
        metrics.observe_requests("/sessions", "POST", status)(seconds)
    found = samples(metrics.exposition())
    assert found['nuovo_http_request_duration_seconds_count{method="POST",route="/sessions",status="2xx"}'] == 2
    assert found['nuovo_http_request_duration_seconds_sum{method="POST",route="/sessions",status="2xx"}'] == 0.01
    assert (
        found['nuovo_http_request_duration_seconds_bucket{le="0.005",method="POST",route="/sessions",status="2xx"}']
        == 1
    )
    assert found['nuovo_http_request_duration_seconds_count{method="POST",route="/sessions",status="5xx"}'] == 1


def test_statements_are_kept_by_database() -> None:
    metrics = make()
    metrics.observe_statements("sessions")(0.0002)
    metrics.count_errors("users")("conflict", "40001")
    found = samples(metrics.exposition())
    assert found['nuovo_database_statement_duration_seconds_sum{database="sessions"}'] == 0.0002
    assert found['nuovo_database_errors_total{code="40001",database="users",kind="conflict"}'] == 1


@pytest.mark.parametrize("trouble", [None, StoreUnavailableError("migrations are pending"), ZeroDivisionError()])
def test_an_instance_says_what_it_is_and_whether_it_is_ready(trouble: Exception | None) -> None:
    """A scrape is answered while the database is away: that is when it matters."""

    def check_ready() -> None:
        if trouble is not None:
            raise trouble

    found = samples(make(check_ready).exposition())
    assert found['nuovo_build_info{version="1.2.3"}'] == 1
    assert found.get("nuovo_ready", 0) == (1 if trouble is None else 0)


def test_the_documentation_names_every_metric_and_label() -> None:
    page = (Path(__file__).parents[2] / "docs/operations.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| `(nuovo_\w+)`[^|]*\| ([^|]*)\|", page, re.MULTILINE))
    about = {"nuovo_build_info": {"version": "1"}, "nuovo_settings_info": {"rotation": "true"}}
    metrics = PrometheusMetrics(about=about, check_ready=lambda: None)
    metrics.count(SecurityEvent(happening=Happening.STARTED, actor=LOGIN))
    metrics.observe_requests("/refresh_token", "POST", 200)(0.1)
    metrics.observe_statements("sessions")(0.1)
    metrics.count_errors("sessions")("conflict", "40001")
    exposed: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        exposed[name] = {label for sample in family.samples for label in sample.labels} - {"le"}
    for info in about:
        assert f"`{info}`" in page
        del exposed[info]
    assert {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in table.items() if name not in about} == exposed


class Worker:
    """A process that counts what it is told."""

    def __init__(self, folder: Path, slot: int | None) -> None:
        environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
        if slot is not None:
            environment["PROMETHEUS_WORKER_SLOT"] = str(slot)
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment | {"PYTHONPATH": os.pathsep.join(sys.path)},
            text=True,
            encoding="utf-8",
        )

    def count(self, times: int) -> None:
        assert self._ask(times) == "counted\n"

    def exposition(self) -> dict[str, float]:
        lines = self._ask(0)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            lines += line
            if line == "\n":
                break
        return samples(lines)

    def _ask(self, times: int) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{times}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()


ROTATED = 'nuovo_refreshes_total{outcome="rotated"}'
REQUESTS = 'nuovo_http_request_duration_seconds_count{method="POST",route="/refresh_token",status="2xx"}'


@pytest.mark.parametrize("numbered", [True, False])
def test_a_scrape_has_what_all_workers_have_counted_dead_ones_included(tmp_path: Path, *, numbered: bool) -> None:
    """Numbered as `nuovo serve` does it, so that no file is left over; by process where another server serves."""
    workers = [Worker(tmp_path, slot if numbered else None) for slot in (1, 2)]
    try:
        for worker, times in zip(workers, (5, 7), strict=True):
            worker.count(times)
        assert {worker.exposition()[ROTATED] for worker in workers} == {12}

        workers[0].kill()
        assert workers[1].exposition()[ROTATED] == 12

        workers[0] = Worker(tmp_path, 1 if numbered else None)
        workers[0].count(3)
        found = workers[1].exposition()
        assert (found[ROTATED], found[REQUESTS]) == (15, 15)
        assert len(list(tmp_path.iterdir())) == (4 if numbered else 6)
    finally:
        for worker in workers:
            worker.kill()


def test_a_worker_that_was_killed_while_it_started_hides_nothing(tmp_path: Path) -> None:
    worker = Worker(tmp_path, 1)
    try:
        worker.count(5)
        (tmp_path / "counter_2.db").touch()
        (tmp_path / "histogram_2.db").write_bytes(bytes(1 << 16))
        assert worker.exposition()[ROTATED] == 5
    finally:
        worker.kill()
