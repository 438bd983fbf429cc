# The test bed: a real API server and a real Karpenter on this machine (see tests/cluster/bed.py).
cluster: setup ## brings the test bed up and prints what to export (KUBECONFIG, AWS_ENDPOINT_URL, ...)
	@$(BIN)/python -m tests.cluster up

cluster-down: setup ## ends the test bed and removes its folder
	@$(BIN)/python -m tests.cluster down

bench-cluster: setup ## one live `why` among 5,000 nodes and 50,000 pods (SCALE="--nodes 500 --pods 5000" for less)
	@$(BIN)/python -m tests.cluster.scale $(SCALE)

.PHONY: cluster cluster-down bench-cluster
