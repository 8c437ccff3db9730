"""Generated bindings, one package per family and major version."""
