"""Carrying out plans: clients, network, clock, storage, faults, and the journal of everything observed."""
