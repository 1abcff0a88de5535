"""HTTP/1.1 to upstreams over `asyncio.Protocol`: `wire` writes requests, `connection` reads answers, `pool` keeps both.

An aiohttp client request costs about ten times as much; see docs/decisions.
"""
