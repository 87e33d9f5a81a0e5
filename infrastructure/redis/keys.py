"""Which key holds what. All that concerns a user is in one slot, so that one script on one server sees it all.

Users are spread over buckets whose number is the hash tag. A tag that held the user would break at a `}` in their name.
"""

from dataclasses import dataclass
from zlib import crc32

from redis.crc import key_slot

from domain.model.tokens import RefreshToken

BUCKETS = 1024
_SLOTS = tuple(key_slot(b"{%d}" % number) for number in range(BUCKETS))


@dataclass(frozen=True, slots=True)
class Bucket:
    """The keys that a bucket has once."""

    number: int

    @classmethod
    def of(cls, user_id: str) -> "Bucket":
        """Return the bucket of a user. It is never another one: BUCKETS stays as it is."""
        return cls(crc32(user_id.encode()) % BUCKETS)

    @property
    def slot(self) -> int:
        """Which of the cluster's slots it is in."""
        return _SLOTS[self.number]

    @property
    def mark(self) -> str:
        """How far purges went: what ended before may have been forgotten."""
        return f"{{{self.number}}}p"

    @property
    def everybody(self) -> str:
        """Sessions that had started by then are over, whoever their user is. All buckets have the same."""
        return f"{{{self.number}}}e"

    @property
    def fence(self) -> str:
        """Written by whoever changes nothing else and yet needs a confirmation. It holds nothing."""
        return f"{{{self.number}}}f"

    @property
    def holders(self) -> str:
        """The users who have a session or a cut-off, sorted."""
        return f"{{{self.number}}}h"

    @property
    def users(self) -> str:
        """The built-in users, and whether they are active."""
        return f"{{{self.number}}}u"

    @property
    def sessions(self) -> str:
        """What the keys of sessions begin with: the user and the session's identifier follow."""
        return f"{{{self.number}}}s:"

    @property
    def indexes(self) -> str:
        """What the keys of users' lists of sessions begin with."""
        return f"{{{self.number}}}i:"

    @property
    def cut_offs(self) -> str:
        """What the keys of users' cut-offs begin with."""
        return f"{{{self.number}}}c:"


class Place:
    """The keys of a user, and of one session."""

    __slots__ = ("bucket", "cut_off", "index", "session", "sessions")

    def __init__(self, user_id: str, session_id: str = "") -> None:
        self.bucket = Bucket.of(user_id)
        self.sessions = f"{self.bucket.sessions}{user_id}:"
        self.session = self.sessions + session_id
        self.index = self.bucket.indexes + user_id
        self.cut_off = self.bucket.cut_offs + user_id

    @classmethod
    def of(cls, token: RefreshToken) -> "Place":
        """Return the keys of a token's session."""
        return cls(token.user_id, token.session_id)

    @property
    def keys_of_new(self) -> list[str]:
        """Where a session is written that is added."""
        return [self.session, self.index, self.bucket.holders]
