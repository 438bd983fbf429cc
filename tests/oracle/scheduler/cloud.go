package main

import (
	"context"
	"errors"

	awsv1 "github.com/aws/karpenter-provider-aws/pkg/apis/v1"
	"github.com/awslabs/operatorpkg/status"
	karpv1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
)

var errNoCloud = errors.New("the oracle launches nothing")

// cloud is a cloud provider that knows the case's instance types and launches nothing. Karpenter's own fake provider
// is no use here: on import it adds labels of its own to the well-known ones, and so changes verdicts.
type cloud struct {
	instanceTypes map[string][]*cloudprovider.InstanceType
	errors        map[string]string
}

func newCloud(c *Case) *cloud {
	resolved := make(map[string][]*cloudprovider.InstanceType, len(c.InstanceTypes))
	for nodePool, instanceTypes := range c.InstanceTypes {
		resolved[nodePool] = nil // a NodePool without any type is not one that is left to "*"
		for _, it := range instanceTypes {
			resolved[nodePool] = append(resolved[nodePool], it.resolve())
		}
	}
	return &cloud{instanceTypes: resolved, errors: c.InstanceTypeErrors}
}

func (c *cloud) GetInstanceTypes(_ context.Context, nodePool *karpv1.NodePool) ([]*cloudprovider.InstanceType, error) {
	if message, ok := c.errors[nodePool.Name]; ok {
		return nil, errors.New(message)
	}
	if its, ok := c.instanceTypes[nodePool.Name]; ok {
		return its, nil
	}
	return c.instanceTypes["*"], nil
}

func (c *cloud) GetSupportedNodeClasses() []status.Object {
	return []status.Object{&awsv1.EC2NodeClass{}}
}

func (c *cloud) Name() string                                 { return "oracle" }
func (c *cloud) RepairPolicies() []cloudprovider.RepairPolicy { return nil }

func (c *cloud) Create(context.Context, *karpv1.NodeClaim) (*karpv1.NodeClaim, error) {
	return nil, errNoCloud
}

func (c *cloud) Delete(context.Context, *karpv1.NodeClaim) error { return errNoCloud }

func (c *cloud) Get(context.Context, string) (*karpv1.NodeClaim, error) { return nil, errNoCloud }

func (c *cloud) List(context.Context) ([]*karpv1.NodeClaim, error) { return nil, errNoCloud }

func (c *cloud) IsDrifted(context.Context, *karpv1.NodeClaim) (cloudprovider.DriftReason, error) {
	return "", nil
}
