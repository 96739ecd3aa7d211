"""Webhooks: events that a gateway sends. After each, the state is read at the gateway."""
