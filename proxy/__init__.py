"""proxy-composer: a configuration-driven reverse proxy and composer.

This page is the map. Text becomes a model, a model becomes a plan, a plan is run. Imports go one way, to a
lower floor; two packages on one floor do not see each other; `tests/test_architecture.py` holds the house to it.

    values      errors · problems · message · events · clock · service          what everybody speaks of
    language    expr      selecting (JSONPath), deciding (CEL), text with holes → closures
                policy    freshness: which answers may be stored, and for how long
                merge     the shape of an answer → one closure
                policy    decision machines: which endpoint, who is ejected; time and chance are arguments
                config    routes.yaml → nodes with places → a checked model
    plan        plan      the model → routes, call graphs and closures; immutable
    ═══════════ the line: nothing above it waits, reads a clock, or opens a socket (config/source reads files)
    runtime     tls       contexts out of the files that a configuration names
                fetching  documents of issuers
                observe   metrics and the access log
                upstream  one client per named upstream; http1, the connections to it
                engine    runs a composite's calls and builds its answer
                security  who asks, whether they may, how often
                server    sockets, matching, passing through
                testing   tests beside the routes: stubs and virtual time
    shell       gateway   the composition root: generations, and the swap between them
                reload    watches the files
                admin     health, readiness, metrics and the API, on a listener of their own
                cli       one module per command

Everything expensive happens when a configuration is loaded. A request runs closures.
"""

__version__ = "0.1.0"
