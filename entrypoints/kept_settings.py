"""Settings that a process hands down to those that are forked from it, so that all have the same."""

from entrypoints.settings import Settings, load_settings

_kept: list[Settings] = []


def keep_settings() -> None:
    """Load what processes that are forked from this one use. Raises `SettingsError`, and then keeps what it has."""
    _kept[:] = [load_settings()]


def kept_settings() -> Settings:
    """Return what this process, or the one that it was forked from, has kept; where there is nothing, load it."""
    return _kept[0] if _kept else load_settings()
