"""The Falcon application, one module per resource."""
