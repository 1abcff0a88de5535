"""Side-by-side benchmarks. `python -m bench` prints one table; every figure is from one run, peers in turn."""
