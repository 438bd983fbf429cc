"""From a remedy to a change of the cluster: the patch and its inverse, who may approve it, its application, the record."""
