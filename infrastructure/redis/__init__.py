"""Sessions, and the built-in users, on the Redis Cluster protocol."""
