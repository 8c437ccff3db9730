"""Generated bindings of Comity core 1.0. Import its modules by name."""
