"""What happens, counted for Prometheus.

Each worker process counts in a file of its own, so that a scrape that any of them answers has all of them, and what a
worker has counted outlives it. Without a folder for such files a process answers for itself alone.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from domain.model.errors import RefusalCause
from domain.model.sessions import RevocationReason
from infrastructure.prometheus.figures import FOLDER_VARIABLE, SLOT_VARIABLE, number_this_worker
from ports.security_log import Happening, SecurityEvent, SecurityLog

_REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_STATEMENT_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

_ROTATED = Happening.ROTATED
_OUTCOMES = {
    Happening.ADOPTED: "adopted",
    Happening.ROTATED: "rotated",
    Happening.REPEATED: "repeated",
    Happening.RECOVERED: "recovered",
    Happening.HEALED: "healed",
    Happening.KEPT: "kept",
    Happening.REFUSED: "refused",
}


class PrometheusMetrics:
    """Every metric of the service. No label holds anything of a user, a session, a token or a client's choice."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, *, about: Mapping[str, Mapping[str, str]], check_ready: Callable[[], None]) -> None:
        """Take labels by name of what is said `about` this instance, and a check that raises while it is not ready."""
        if slot := os.environ.get(SLOT_VARIABLE):
            number_this_worker(int(slot))
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        own = None if FOLDER_VARIABLE in os.environ else self._registry
        self._registry.register(_Instance(about, check_ready))
        if own is None:
            self._registry.register(_AllWorkers())
        self._refreshes = Counter(
            "nuovo_refreshes", "Refresh tokens presented, by what came of them.", ("outcome", "cause"), registry=own
        )
        self._lost_generations = Counter(
            "nuovo_lost_rotations", "Rotations that the store had lost, as healing proved.", registry=own
        )
        self._started = Counter("nuovo_sessions_started", "Sessions started, by whom.", ("actor",), registry=own)
        self._ended = Counter("nuovo_sessions_ended", "Live sessions ended, by reason.", ("reason",), registry=own)
        self._bound = Counter("nuovo_sessions_bound", "Sessions bound to a key of their device.", registry=own)
        self._refused = Counter(
            "nuovo_credentials_refused",
            "Access tokens and service credentials refused, by cause.",
            ("credential", "cause"),
            registry=own,
        )
        self._requests = Histogram(
            "nuovo_http_request_duration_seconds",
            "Time in the application, by route, method and class of the answer's status.",
            ("route", "method", "status"),
            buckets=_REQUEST_BUCKETS,
            registry=own,
        )
        self._statements = Histogram(
            "nuovo_database_statement_duration_seconds",
            "Time of a statement that the database carried out, by database.",
            ("database",),
            buckets=_STATEMENT_BUCKETS,
            registry=own,
        )
        self._errors = Counter(
            "nuovo_database_errors",
            "Statements that failed, by what that means and by the database's own code; some are run again.",
            ("database", "kind", "code"),
            registry=own,
        )
        self._of_event: dict[object, Counter] = {}
        self._rotated = self._refreshes.labels("rotated", "")
        # A counter that only comes to be when it is first counted hides its first count from Prometheus' `increase`.
        for happening, outcome in _OUTCOMES.items():
            for cause in RefusalCause if happening is Happening.REFUSED else ("",):
                self._refreshes.labels(outcome, cause)
        for cause in RefusalCause:
            self._refused.labels("access_token", cause)
        self._refused.labels("service", "")
        for reason in RevocationReason:
            self._ended.labels(reason.value)

    def exposition(self) -> bytes:
        """Return everything in Prometheus' text format, of the type `content_type`."""
        return generate_latest(self._registry)

    def count(self, event: SecurityEvent) -> None:
        """Count what happened to a session or at the door."""
        if event.happening is _ROTATED:  # nearly always, so without a look at the rest
            self._rotated.inc()
            return
        key = (event.happening, event.cause, event.actor)
        counter = self._of_event.get(key)
        if counter is None:
            counter = self._of_event[key] = self._counter_of(event)
        one = 0 if event.happening is Happening.EVERYBODY_ENDED else 1  # of whom nobody knows how many they were
        counter.inc(one if event.count is None else event.count)
        if event.lost_generations:
            self._lost_generations.inc(event.lost_generations)

    def observe_requests(self, route: str, method: str, status: int) -> Callable[[float], None]:
        """Return what notes how long such an answer took, in seconds."""
        return self._requests.labels(route, method, f"{status // 100}xx").observe

    def observe_statements(self, database: str) -> Callable[[float], None]:
        """Return what notes how long a statement of `database` took, in seconds."""
        return self._statements.labels(database).observe

    def count_errors(self, database: str) -> Callable[[str, str], None]:
        """Return what notes that a statement of `database` failed: what that means, and the database's own code."""
        return lambda kind, code: self._errors.labels(database, kind, code).inc()

    def _counter_of(self, event: SecurityEvent) -> Counter:
        cause = "" if event.cause is None else event.cause.value
        match event.happening:
            case Happening.STARTED:
                return self._started.labels(str(event.actor))
            case Happening.BOUND:
                return self._bound
            case Happening.ENDED:
                return self._ended.labels(cause)
            case Happening.ALL_ENDED | Happening.EVERYBODY_ENDED:
                kind = event.actor.kind if event.actor else None
                return self._ended.labels("" if kind is None else RevocationReason.ended_by(kind).value)
            case Happening.ACCESS_REFUSED | Happening.SERVICE_REFUSED as refused:
                credential = "service" if refused is Happening.SERVICE_REFUSED else "access_token"
                return self._refused.labels(credential, cause)
            case refresh:
                return self._refreshes.labels(_OUTCOMES[refresh], cause)


class CountingSecurityLog(SecurityLog):
    """Counts each event before it hands it on."""

    def __init__(self, metrics: PrometheusMetrics, log: SecurityLog) -> None:
        self._metrics = metrics
        self._log = log

    def record(self, event: SecurityEvent) -> None:
        """Count `event`, and hand it on."""
        try:  # noqa: SIM105  an answer depends on no figure, and `suppress` takes as long as the count
            self._metrics.count(event)
        except Exception:  # noqa: BLE001, S110
            pass
        self._log.record(event)


class _AllWorkers(Collector):
    """What all workers, dead ones included, have counted."""

    def __init__(self) -> None:
        self._folder = Path(os.environ[FOLDER_VARIABLE])

    def collect(self) -> Iterable[Metric]:
        # A worker that is just starting, or was killed while it did, may have a file in which nothing stands yet.
        files = [str(file) for file in self._folder.glob("*.db") if file.stat().st_size]
        return MultiProcessCollector.merge(files)  # type: ignore[no-any-return, no-untyped-call]


class _Instance(Collector):
    """What is said of this instance at the moment of a scrape."""

    def __init__(self, about: Mapping[str, Mapping[str, str]], check_ready: Callable[[], None]) -> None:
        self._about = about
        self._check_ready = check_ready

    def collect(self) -> Iterable[Metric]:
        for name, labels in self._about.items():
            info = GaugeMetricFamily(name, "Always 1; the labels tell.", labels=tuple(labels))
            info.add_metric(tuple(labels.values()), 1)
            yield info
        try:
            self._check_ready()
            ready = 1
        except Exception:  # noqa: BLE001  whatever stops a refresh; the log and /health/ready say what
            ready = 0
        yield GaugeMetricFamily("nuovo_ready", "1 while this instance could refresh a token.", value=ready)
