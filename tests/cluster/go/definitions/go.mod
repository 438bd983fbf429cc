// Only pins where published CustomResourceDefinitions are taken from; nothing of these modules is compiled.
module karpenter-bot.test/cluster/definitions

go 1.26.0

require (
	github.com/aws/karpenter-provider-aws v1.14.1
	github.com/kubeflow/trainer/v2 v2.0.0
	sigs.k8s.io/jobset v0.8.2
)
