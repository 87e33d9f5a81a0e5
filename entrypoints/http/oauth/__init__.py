"""The same use cases in the words of OAuth 2.0, for clients that exist."""
