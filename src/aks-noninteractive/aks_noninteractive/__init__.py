"""A working kubeconfig for an Entra-integrated AKS cluster, with no person in the loop."""

VERSION = "1.0.0"
