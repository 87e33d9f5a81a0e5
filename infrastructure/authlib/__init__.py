"""Tokens, signed and read with Authlib's JOSE engine."""
