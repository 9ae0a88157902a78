"""A neighbour on some of the fault suite's scenarios: ``python -m tests.faults.peers``."""
