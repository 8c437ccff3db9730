"""The registry's pure core: entries, index, watches and the replicated state. No I/O, no clock, no randomness."""
