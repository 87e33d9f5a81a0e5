"""Values and rules: sessions, tokens, users, errors. Standard library only."""
