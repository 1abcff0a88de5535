"""The command line: one module per command, each with `add` (its arguments) and `run` (its exit code).

Exit codes: 0 it worked · 1 the configuration has errors, or the thing asked about is not so · 2 it could not be done
(wrong arguments, unreadable file, port in use).
"""
