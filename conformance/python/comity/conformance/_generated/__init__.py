"""Generated strategies, one module per family and major version."""
