# The oracle: Karpenter's own scheduler beside ours (see tests/oracle/README.md).
PARITY ?= --seed 7 --count 10000

parity: setup ## our decisions against Karpenter's on 10,000 random cases (needs Go; PARITY="--seed 8 --count 500" for others)
	@$(BIN)/python -m tests.oracle.parity $(PARITY)

.PHONY: parity
