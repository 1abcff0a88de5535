"""Runs a composite route: its calls as they may go, then its answer.

`schedule` decides which call may go (pure); `call` turns a call into a request and an answer into an outcome; `run`
drives both under the route's deadline; `respond` writes what the client gets.
"""
