"""Entra ID: user realm, token endpoints, OpenID Connect discovery and keys."""
