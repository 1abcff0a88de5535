"""Side-by-side benchmarks: `python -m bench` prints one table; every figure is from one run, peers in turn.

cases: what is asked, of whom, and the right answer
peers: this gateway and the others, each a process of its own
upstreams: what stands behind all of them
load: the programs that ask, each a process of its own
kinds: what to measure while they ask
report, targets, chart: what is shown of it
"""
