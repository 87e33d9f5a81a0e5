"""The command line, `nuovo`."""
