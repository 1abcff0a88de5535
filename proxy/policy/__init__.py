"""Decision machines: what happened goes in, what to do comes out. The time and chance are arguments; nothing waits."""
