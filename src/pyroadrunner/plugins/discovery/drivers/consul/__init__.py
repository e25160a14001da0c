"""Consul, over the HTTP API of an agent."""
