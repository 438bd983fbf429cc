"""Reads the cluster, EC2 and snapshot folders into the model; decides nothing. What could not be read is named."""
