"""Stores on Peewee: SQLite and PostgreSQL."""
