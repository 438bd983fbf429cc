package main

import (
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubejson "sigs.k8s.io/json"
	karpv1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/operator/options"
	"sigs.k8s.io/karpenter/pkg/scheduling"
)

// Case is one question to Karpenter: a cluster, what the cloud offers, and the pods that wait. Kubernetes objects have
// the JSON that the API server would return for them, so defaulting (requests from limits, for one) is done already.
type Case struct {
	ID        string       `json:"id"`
	Now       metav1.Time  `json:"now"`
	Pods      []corev1.Pod `json:"pods"`
	BoundPods []corev1.Pod `json:"boundPods"`

	NodePools  []karpv1.NodePool  `json:"nodePools"`
	NodeClaims []karpv1.NodeClaim `json:"nodeClaims"`
	Nodes      []corev1.Node      `json:"nodes"`
	DaemonSets []appsv1.DaemonSet `json:"daemonSets"`
	Namespaces []corev1.Namespace `json:"namespaces"`

	PersistentVolumeClaims []corev1.PersistentVolumeClaim `json:"persistentVolumeClaims"`
	PersistentVolumes      []corev1.PersistentVolume      `json:"persistentVolumes"`
	StorageClasses         []storagev1.StorageClass       `json:"storageClasses"`
	CSINodes               []storagev1.CSINode            `json:"csiNodes"`

	// InstanceTypes is keyed by NodePool name; "*" serves every NodePool that has no key of its own.
	InstanceTypes map[string][]InstanceType `json:"instanceTypes"`
	// InstanceTypeErrors makes the cloud provider refuse a NodePool, as it does when the EC2NodeClass is not found.
	InstanceTypeErrors map[string]string `json:"instanceTypeErrors"`

	Options Options `json:"options"`
	// Feature and Note are for the reader of a case; Karpenter never sees them.
	Feature string `json:"feature"`
	Note    string `json:"note"`
}

// InstanceType is what a cloud provider resolves for a NodePool.
type InstanceType struct {
	Name         string              `json:"name"`
	Requirements []Requirement       `json:"requirements"`
	Capacity     corev1.ResourceList `json:"capacity"`
	Overhead     Overhead            `json:"overhead"`
	Offerings    []Offering          `json:"offerings"`
}

type Requirement struct {
	Key      string                      `json:"key"`
	Operator corev1.NodeSelectorOperator `json:"operator"`
	Values   []string                    `json:"values"`
}

type Overhead struct {
	KubeReserved      corev1.ResourceList `json:"kubeReserved"`
	SystemReserved    corev1.ResourceList `json:"systemReserved"`
	EvictionThreshold corev1.ResourceList `json:"evictionThreshold"`
}

type Offering struct {
	Requirements        []Requirement `json:"requirements"`
	Price               float64       `json:"price"`
	Available           bool          `json:"available"`
	ReservationCapacity int           `json:"reservationCapacity"`
}

// Options are the flags of the Karpenter controller that change a decision; what is left out has Karpenter's default.
type Options struct {
	PreferencePolicy options.PreferencePolicy `json:"preferencePolicy"`
	MinValuesPolicy  options.MinValuesPolicy  `json:"minValuesPolicy"`
	FeatureGates     map[string]bool          `json:"featureGates"`
	// CPURequests (millicores) sets how many NodePools the scheduler tries at once: one per full CPU.
	CPURequests int64 `json:"cpuRequests"`
}

// parseCase reads one line. Fields that Kubernetes does not know are an error: a typo in a case must not pass as a verdict.
func parseCase(line []byte) (*Case, error) {
	c := &Case{}
	unknown, err := kubejson.UnmarshalStrict(line, c)
	if err != nil {
		return c, fmt.Errorf("reading case, %w", err)
	}
	if len(unknown) != 0 {
		return c, fmt.Errorf("reading case, %w", errors.Join(unknown...))
	}
	if c.Now.IsZero() {
		c.Now = metav1.NewTime(time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC))
	}
	return c, nil
}

func (c *Case) controllerOptions() (*options.Options, error) {
	gates := options.DefaultFeatureGates()
	for name, on := range c.Options.FeatureGates {
		// The other gates either decide nothing about a pending pod or (NodeOverlay, CapacityBuffer) need controllers
		// that do not run here; a case that sets them would get a verdict that Karpenter would not give.
		if name != "ReservedCapacity" {
			return nil, fmt.Errorf("feature gate %q is not supported by this oracle", name)
		}
		gates.ReservedCapacity = on
	}
	o := &options.Options{
		CPURequests:       1000,
		PreferencePolicy:  options.PreferencePolicyRespect,
		MinValuesPolicy:   options.MinValuesPolicyStrict,
		IgnoreDRARequests: true,
		FeatureGates:      gates,
	}
	if c.Options.PreferencePolicy != "" {
		o.PreferencePolicy = c.Options.PreferencePolicy
	}
	if c.Options.MinValuesPolicy != "" {
		o.MinValuesPolicy = c.Options.MinValuesPolicy
	}
	if c.Options.CPURequests > 0 {
		o.CPURequests = c.Options.CPURequests
	}
	return o, nil
}

func (it InstanceType) resolve() *cloudprovider.InstanceType {
	resolved := &cloudprovider.InstanceType{
		Name:         it.Name,
		Requirements: requirements(it.Requirements),
		Capacity:     it.Capacity,
		Overhead: &cloudprovider.InstanceTypeOverhead{
			KubeReserved:      it.Overhead.KubeReserved,
			SystemReserved:    it.Overhead.SystemReserved,
			EvictionThreshold: it.Overhead.EvictionThreshold,
		},
	}
	for _, o := range it.Offerings {
		resolved.Offerings = append(resolved.Offerings, &cloudprovider.Offering{
			Requirements:        requirements(o.Requirements),
			Price:               o.Price,
			Available:           o.Available,
			ReservationCapacity: o.ReservationCapacity,
		})
	}
	return resolved
}

func requirements(in []Requirement) scheduling.Requirements {
	out := scheduling.NewRequirements()
	for _, r := range in {
		out.Add(scheduling.NewRequirement(r.Key, r.Operator, r.Values...))
	}
	return out
}
