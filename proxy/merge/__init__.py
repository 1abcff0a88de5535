"""The shape of an answer: what `merge`, `body`, `fallback` and `reply` say becomes one closure.

`shape` compiles mappings, lists, strings and operators; each operator family has a module of its own, found through
`operators`. A closure takes the scope and gives a JSON value, or MISSING.
"""
