"""Refresh endpoints in the words of other libraries, for clients in the field that nobody can update.

Their bodies and status codes are those libraries' contracts, not this service's; trouble stays 503 in the envelope.
Nobody can prove a key here, for no such client knows how: a session that is bound is refused, as one that is over.
"""
