"""What the gateway says about itself: metrics for machines, one log line per request for people and machines."""
