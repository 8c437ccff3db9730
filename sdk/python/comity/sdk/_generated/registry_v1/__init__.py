"""Generated bindings of Comity registry 1.0. Import its modules by name."""
