"""The contestants: this gateway, and what else one would put in its place."""
