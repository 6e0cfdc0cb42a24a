"""The exec credential plugin that a kubeconfig of format `exec` names: this package itself."""
