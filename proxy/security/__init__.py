"""The gate of a route: who asks, whether they may, how often, and in what form."""
