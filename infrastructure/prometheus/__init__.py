"""Metrics by Prometheus' client library."""
