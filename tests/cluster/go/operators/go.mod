// Only pins where the definitions of operators' job kinds are taken from; nothing of these modules is compiled.
module karpenter-bot.test/cluster/operators

go 1.26.0

require (
	github.com/argoproj/argo-rollouts v1.8.3
	github.com/argoproj/argo-workflows/v3 v3.6.10
	github.com/kubeflow/training-operator v1.9.3
	github.com/ray-project/kuberay/ray-operator v1.5.0
	sigs.k8s.io/lws v0.7.0
)
