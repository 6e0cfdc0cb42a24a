"""Managed identities: the token endpoints of virtual machines, App Service and Azure Arc.

They speak plain http, as the real ones do, on one port of loopback.
"""

from .app import ManagedIdentityHost

__all__ = ["ManagedIdentityHost"]
