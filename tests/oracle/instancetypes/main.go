// Instancetypes tells what Karpenter's AWS provider makes of EC2's descriptions. It reads one JSON object on stdin:
//
//	{"instanceTypes": what `aws ec2 describe-instance-types` prints, "options": see Options}
//
// and writes one JSON line per instance type, in the order of the description.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	awsv1 "github.com/aws/karpenter-provider-aws/pkg/apis/v1"
	awsoptions "github.com/aws/karpenter-provider-aws/pkg/operator/options"
	"github.com/aws/karpenter-provider-aws/pkg/providers/instancetype"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
)

// Question is the whole input.
type Question struct {
	InstanceTypes struct {
		InstanceTypes []ec2types.InstanceTypeInfo
	} `json:"instanceTypes"`
	Options Options `json:"options"`
}

// Options are what else an instance type depends on.
type Options struct {
	Region string `json:"region"`
	// Zones of the subnets, with zone ids; OfferedZones (by type) defaults to all of them.
	Zones        []Zone              `json:"zones"`
	OfferedZones map[string][]string `json:"offeredZones"`
	// NodeClass is an EC2NodeClass as the API server prints it: amiSelectorTerms or amiFamily, kubelet,
	// blockDeviceMappings, instanceStorePolicy, networkInterfaces, and status.capacityReservations matter.
	NodeClass awsv1.EC2NodeClass `json:"nodeClass"`
	// VMMemoryOverheadPercent and ReservedENIs are flags of the controller; the former's default is 0.075.
	VMMemoryOverheadPercent *float64 `json:"vmMemoryOverheadPercent"`
	ReservedENIs            int      `json:"reservedENIs"`
}

type Zone struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

// Resolved is an instance type as Karpenter schedules with it.
type Resolved struct {
	Name    string `json:"name"`
	Failure string `json:"failure,omitempty"`
	// Excluded is set for what Karpenter does not ask EC2 for (other architectures, paravirtual only).
	Excluded     bool                `json:"excluded,omitempty"`
	Labels       map[string]string   `json:"labels"`
	Requirements []Requirement       `json:"requirements"`
	Capacity     corev1.ResourceList `json:"capacity"`
	Overhead     Overhead            `json:"overhead"`
	Allocatable  corev1.ResourceList `json:"allocatable"`
}

type Requirement struct {
	Key      string   `json:"key"`
	Operator string   `json:"operator"`
	Values   []string `json:"values"`
}

type Overhead struct {
	KubeReserved      corev1.ResourceList `json:"kubeReserved"`
	SystemReserved    corev1.ResourceList `json:"systemReserved"`
	EvictionThreshold corev1.ResourceList `json:"evictionThreshold"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
}

func run() error {
	q := Question{}
	if err := json.NewDecoder(bufio.NewReaderSize(os.Stdin, 1<<20)).Decode(&q); err != nil {
		return fmt.Errorf("reading question, %w", err)
	}
	w := bufio.NewWriter(os.Stdout)
	out := json.NewEncoder(w)
	for _, info := range q.InstanceTypes.InstanceTypes {
		if err := out.Encode(resolve(info, q.Options)); err != nil {
			return fmt.Errorf("writing %s, %w", info.InstanceType, err)
		}
	}
	return w.Flush()
}

// resolve lets the provider's own resolver decide. A description that makes it panic, since EC2 left out a field that
// it takes for granted, is a failure of that type alone.
func resolve(info ec2types.InstanceTypeInfo, o Options) (r Resolved) {
	name := string(info.InstanceType)
	defer func() {
		if p := recover(); p != nil {
			r = Resolved{Name: name, Failure: fmt.Sprintf("panic: %v", p)}
		}
	}()
	overhead := 0.075
	if o.VMMemoryOverheadPercent != nil {
		overhead = *o.VMMemoryOverheadPercent
	}
	ctx := awsoptions.ToContext(context.Background(), &awsoptions.Options{
		VMMemoryOverheadPercent: overhead,
		ReservedENIs:            o.ReservedENIs,
	})
	nodeClass := o.NodeClass.DeepCopy()
	var zones []string
	for _, z := range o.Zones {
		zones = append(zones, z.Name)
		nodeClass.Status.Subnets = append(nodeClass.Status.Subnets, awsv1.Subnet{ID: "subnet-" + z.Name, Zone: z.Name, ZoneID: z.ID})
	}
	if offered, ok := o.OfferedZones[name]; ok {
		zones = offered
	}
	it := instancetype.NewDefaultResolver(o.Region).Resolve(ctx, info, zones, nodeClass)
	labels, requirements := described(it)
	return Resolved{
		Name:         name,
		Excluded:     !requested(info),
		Labels:       labels,
		Requirements: requirements,
		Capacity:     it.Capacity,
		Overhead: Overhead{
			KubeReserved:      it.Overhead.KubeReserved,
			SystemReserved:    it.Overhead.SystemReserved,
			EvictionThreshold: it.Overhead.EvictionThreshold,
		},
		Allocatable: it.Allocatable(),
	}
}

// described gives the requirements, sorted, and the labels: the requirements with exactly one value.
func described(it *cloudprovider.InstanceType) (map[string]string, []Requirement) {
	labels, requirements := map[string]string{}, make([]Requirement, 0, len(it.Requirements))
	for key, r := range it.Requirements {
		values := r.Values()
		slices.Sort(values)
		requirements = append(requirements, Requirement{Key: key, Operator: string(r.Operator()), Values: values})
		if r.Operator() == corev1.NodeSelectorOpIn && len(values) == 1 {
			labels[key] = values[0]
		}
	}
	slices.SortFunc(requirements, func(a, b Requirement) int {
		if a.Key < b.Key {
			return -1
		}
		return 1
	})
	return labels, requirements
}

// requested mirrors the filters of DescribeInstanceTypes (karpenter-provider-aws:
// pkg/providers/instancetype/instancetype.go, UpdateInstanceTypes).
func requested(info ec2types.InstanceTypeInfo) bool {
	if !slices.Contains(info.SupportedVirtualizationTypes, ec2types.VirtualizationTypeHvm) || info.ProcessorInfo == nil {
		return false
	}
	return slices.ContainsFunc(info.ProcessorInfo.SupportedArchitectures, func(a ec2types.ArchitectureType) bool {
		return a == ec2types.ArchitectureTypeX8664 || a == ec2types.ArchitectureTypeArm64
	})
}
