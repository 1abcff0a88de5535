"""The ways to measure: a closed loop, one long stream, a constant rate, idle connections, many routes."""
