"""How the outside reaches the service: HTTP, command line, settings and wiring."""
