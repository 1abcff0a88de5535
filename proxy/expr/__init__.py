"""Expressions: text from routes.yaml becomes closures over one request's context document.

`jsonpath` reads paths and `lower` makes closures of them; `expression` is what a string in the file may be (a
literal, a path with alternatives, text with holes); `urltemplate` builds request targets; `cel` decides and
computes. Nothing here waits, and nothing is parsed while a request runs.
"""
