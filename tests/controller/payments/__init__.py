"""The payment gateways, from wire text to loopback."""
