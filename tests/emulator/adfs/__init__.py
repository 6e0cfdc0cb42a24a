"""AD FS: metadata exchange and the WS-Trust user name endpoints of federated domains."""
