"""The SDK: what every agent needs to speak Comity. Import its modules by name; this package loads nothing."""
