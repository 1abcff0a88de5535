"""What the gateway is measured against: the same composite as a person would write it by hand."""
