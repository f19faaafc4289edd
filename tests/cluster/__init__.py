"""`make test-cluster`: the compose file's topology without containers. Not collected by pytest: it takes minutes."""
