"""Webhooks: events that a gateway sends. Each is only a reason to look again at the gateway."""
