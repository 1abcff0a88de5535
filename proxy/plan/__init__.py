"""The plan: what will happen, decided once, when a configuration is loaded.

`compile` makes it from the model; `graph` infers what waits for what; `routing` finds a route; `explain` tells a
person. A plan is immutable and waits for nothing.
"""
