"""
Measurements of Beatline, of its peers, and of what Redis and Python can do without either.

``python -m benchmarks.main_job`` shows our own figures beside their goals; ``python -m benchmarks``
runs everything side by side (``make bench``). ``docs/benchmarks.md`` says what is measured how.
"""
