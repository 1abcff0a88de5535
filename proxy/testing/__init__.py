"""Tests beside the routes: real routing, real engine, stubs instead of upstreams, and a clock of their own."""
