"""
The worker: a supervisor that runs no user code, and children that do.

Read on in `supervisor` (keeps the lease, watches, kills, returns what the dead held), `zygote`
(loads the app once and forks children), `child` and `consumer` (take, run, settle), `executor`
(one job), and `table` (the memory that supervisor and children share).
"""
