"""AKS API servers, one for each cluster."""
