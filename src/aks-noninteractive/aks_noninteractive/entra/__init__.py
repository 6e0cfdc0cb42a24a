"""Microsoft Entra and the identity providers it federates with: the wire, step by step."""
