"""Small services to put a gateway in front of: users and products, with faults on request.

Each is an aiohttp application over a JSON file. `faults` makes them slow, broken or absent when asked to; `stats`
counts what they served, so that a test can say how many calls a request cost.
"""
