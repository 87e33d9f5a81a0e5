"""What can be asked of the service, one verb phrase per module."""
