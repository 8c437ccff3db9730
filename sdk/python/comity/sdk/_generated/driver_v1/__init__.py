"""Generated bindings of Comity driver protocol 1.0. Import its modules by name."""
