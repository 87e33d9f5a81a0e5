"""The tokens of the libraries that applications come from."""
