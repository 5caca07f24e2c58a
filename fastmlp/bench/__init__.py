"""Benchmarks of fastmlp and the installed peers: cases, set-ups of each framework, peak performance, and interleaved measurement.

``fastmlp bench`` prints what :func:`fastmlp.bench.runner.measure` returns; ``pytest benchmarks`` times the same cases with
pytest-benchmark. The rest of the package does not import this folder.
"""
