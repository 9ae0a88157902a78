"""
One module per contender: its app, how jobs are sent to it, and how its workers are started.

Each runs in its own environment (see ``environments.py``) and imports, of ours, only what needs
nothing but the standard library. The type checker does not have the peers' packages, which is why
these modules switch the errors about them off.
"""
