"""Keeps these tests to the environment that has Schemathesis."""

from importlib.util import find_spec

# It has an environment of its own; in every other one there is nothing here to collect.
collect_ignore_glob = [] if find_spec("schemathesis") else ["test_*.py"]
