"""What stands behind every peer: constant answers, from nginx with Lua where it is installed, else from Python."""
