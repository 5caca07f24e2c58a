"""How fast fastmlp is here, beside the peers that are installed: the cases, the peers, the processor's peak, and the taking of turns.

``fastmlp bench`` prints what :func:`fastmlp.bench.runner.run` measures; ``pytest benchmarks`` times the same cases with pytest-benchmark.
Nothing here is imported by the rest of the package.
"""
