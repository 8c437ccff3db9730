"""Mutants of the reference, each of which the suite has to catch by the row that the mutant names."""
