"""The peers that the benchmarks of transports compare, each in processes of its own.

Every peer does one job: a typed message is built, encoded and sent, and arrives as a validated message.
"""
