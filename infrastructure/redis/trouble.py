"""What went wrong, in the words of its cause. A server's own text may hold keys and values: it is never repeated."""

from redis import exceptions

from domain.model.errors import StoreUnavailableError

_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.AuthenticationError, "the server refuses this user name and password"),
    (exceptions.NoPermissionError, "the server does not let this user do that"),
    (exceptions.BusyLoadingError, "the server is still loading its data"),
    (exceptions.OutOfMemoryError, "the server's memory is full"),
    (exceptions.ReadOnlyError, "the server is a replica"),
    (exceptions.ClusterDownError, "the cluster is down: a master and its replicas are away"),
    (exceptions.TryAgainError, "the keys are being moved to another server"),
    (exceptions.AskError, "the cluster keeps changing"),
    (exceptions.TimeoutError, "the server did not answer in time"),
    (exceptions.ConnectionError, "the server cannot be reached"),
)

_NO_CLUSTER = "cluster support disabled"


def unavailable(error: Exception) -> StoreUnavailableError:
    """Return the error of the domain that says what `error` means."""
    if _NO_CLUSTER in str(error):
        return StoreUnavailableError("the server is not part of a cluster; set cluster-enabled yes")
    words = next((words for kind, words in _WORDS if isinstance(error, kind)), "the server refuses a command")
    return StoreUnavailableError(words)
