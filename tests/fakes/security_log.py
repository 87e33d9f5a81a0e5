"""A security log that remembers."""

from ports.security_log import Happening, SecurityEvent, SecurityLog


class FakeSecurityLog(SecurityLog):
    def __init__(self) -> None:
        self.events: list[SecurityEvent] = []

    def record(self, event: SecurityEvent) -> None:
        self.events.append(event)

    @property
    def happenings(self) -> list[Happening]:
        return [event.happening for event in self.events]
