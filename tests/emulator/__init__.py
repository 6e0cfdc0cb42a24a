"""An emulated Azure: Entra ID, AD FS, Azure Resource Manager and AKS API servers.

Everything listens on loopback, speaks TLS, and refuses what the real services refuse. See
README.md; `Emulator` is the entry point for tests, `python -m emulator` for a shell.
"""

from .azure import Emulator

__all__ = ["Emulator"]
