"""Upstreams at run time: one client for each, kept over reloads that do not change it.

`client` sends one request and reads one answer within its limits; `registry` owns the clients.
"""
