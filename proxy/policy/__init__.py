"""Decision machines: pure functions of what they are told, the time included. Those who wait ask them."""
