"""The data path's shell: sockets in, our requests out, and back.

`listener` owns the sockets, `adapter` translates aiohttp's messages, `stack` orders the layers, `dispatch` finds the
route in the current generation, `passthrough` and `fixed` are the actions that do not compose.
"""
