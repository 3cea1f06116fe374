"""Inside a running NEST: install, wire, simulate, read."""
