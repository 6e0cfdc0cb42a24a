"""Kubeconfig files: read a cluster's skeleton, fill in a user, merge, store."""
