package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/samber/lo"
	"go.uber.org/multierr"
	corev1 "k8s.io/api/core/v1"
	karpv1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/controllers/provisioning/scheduling"
	"sigs.k8s.io/karpenter/pkg/utils/pod"
)

// Verdict is Karpenter's answer to a case. Pods are named namespace/name.
type Verdict struct {
	ID string `json:"id"`
	// Failure says why there is no verdict: the case is malformed, or Karpenter itself panicked.
	Failure string `json:"failure,omitempty"`
	// ScheduleError is the error of a whole scheduling loop, after which Karpenter tries again and launches nothing.
	ScheduleError string `json:"scheduleError,omitempty"`

	// NotProvisionable are pods that Karpenter does not look at: no Unschedulable condition, gated, nominated, ...
	NotProvisionable []string `json:"notProvisionable,omitempty"`
	// Ignored are pods that failed validation, with the error of the "ignoring pod" log line.
	Ignored map[string]string `json:"ignored,omitempty"`
	// IgnoredCauses are the parts of each such error; Karpenter reads a nodeSelector in map order.
	IgnoredCauses map[string][]string `json:"ignoredCauses,omitempty"`
	// VolumeErrors are pods whose volumes' topology could not be read; Karpenter schedules them without it.
	VolumeErrors map[string]string `json:"volumeErrors,omitempty"`
	// PodErrors are the refused pods.
	PodErrors map[string]PodError `json:"podErrors,omitempty"`

	NewNodeClaims    []NewNodeClaim    `json:"newNodeClaims,omitempty"`
	ExistingNodes    []ExistingNode    `json:"existingNodes,omitempty"`
	NodePoolsSkipped []SkippedNodePool `json:"nodePoolsSkipped,omitempty"`
	// NodePoolOrder are the NodePools that were tried, in the order of their errors.
	NodePoolOrder []string `json:"nodePoolOrder,omitempty"`

	// ClusterSynced is false while a NodeClaim has no provider id; a running Karpenter would not decide until then.
	ClusterSynced bool    `json:"clusterSynced"`
	Events        []Event `json:"events,omitempty"`
	// ElapsedNs is the time of Provisioner.Schedule: reading pods, building the scheduler, solving.
	ElapsedNs int64 `json:"elapsedNs"`
}

// PodError is why no NodePool took a pod.
type PodError struct {
	Error string `json:"error"`
	// Causes are the parts of the error as Karpenter logs them in errorCauses.
	Causes []string `json:"causes"`
	// NodePools attributes the causes to the NodePools.
	NodePools []NodePoolError `json:"nodePools"`
	// Deferred marks an error that Karpenter does not report: the pod waits for reserved capacity to be freed.
	Deferred bool `json:"deferred"`
}

// NodePoolError is one NodePool's part of the error: one cause, or one per untolerated taint.
type NodePoolError struct {
	NodePool string   `json:"nodePool"`
	Error    string   `json:"error"`
	Causes   []string `json:"causes"`
}

type NewNodeClaim struct {
	NodePool      string   `json:"nodePool"`
	Pods          []string `json:"pods"`
	InstanceTypes []string `json:"instanceTypes"`
	Requirements  string   `json:"requirements"`
	// Requests are the resources of the pods and of the least daemon overhead.
	Requests corev1.ResourceList `json:"requests"`
	// CapacityTypes, Zones and Offerings ("type/zone/capacity type[/reservation]") are what may be launched.
	CapacityTypes []string `json:"capacityTypes"`
	Zones         []string `json:"zones"`
	Offerings     []string `json:"offerings"`
}

type ExistingNode struct {
	Name string   `json:"name"`
	Pods []string `json:"pods"`
}

type SkippedNodePool struct {
	NodePool string `json:"nodePool"`
	Reason   string `json:"reason"`
}

const noDynamicNodePools = "no dynamic nodepools found"

// decide asks Karpenter's provisioner once. A panic in Karpenter is a failure of the case, not of the program.
func decide(c *Case) (v *Verdict) {
	defer func() {
		if r := recover(); r != nil {
			v = &Verdict{ID: c.ID, Failure: fmt.Sprintf("panic: %v", r)}
		}
	}()
	w, err := newWorld(c)
	if err != nil {
		return &Verdict{ID: c.ID, Failure: err.Error()}
	}
	v = &Verdict{ID: c.ID, ClusterSynced: w.cluster.Synced(w.ctx)}

	start := time.Now()
	results, err := w.provisioner.Schedule(w.ctx)
	v.ElapsedNs = time.Since(start).Nanoseconds()
	if err != nil {
		v.ScheduleError = err.Error()
	}

	v.NotProvisionable = w.notProvisionable(c)
	ignored := errorsOf(w.record.saidOf("Pod", "ignoring pod"))
	v.Ignored = lo.MapValues(ignored, func(err error, _ string) string { return err.Error() })
	v.IgnoredCauses = lo.MapValues(ignored, func(err error, _ string) []string { return messages(err) })
	v.VolumeErrors = lo.MapValues(errorsOf(w.record.saidOf("Pod", "failed getting volume topology requirements")),
		func(err error, _ string) string { return err.Error() })
	pools := sortNodePools(c, w)
	v.NodePoolsSkipped, v.NodePoolOrder = pools.skipped, pools.names()
	v.PodErrors = podErrors(results, pools)
	if w.record.said(noDynamicNodePools) {
		// Karpenter keeps this error for each pod in memory; it logs it once and publishes no event.
		v.refuseAll(c, noDynamicNodePools)
	}
	v.NewNodeClaims = lo.Map(results.NewNodeClaims, func(n *scheduling.NodeClaim, _ int) NewNodeClaim { return launched(n) })
	v.ExistingNodes = occupied(results.ExistingNodes)
	v.Events = w.record.events
	return v
}

func (w *World) notProvisionable(c *Case) []string {
	var out []string
	for i := range c.Pods {
		if !pod.IsProvisionable(&c.Pods[i]) {
			out = append(out, podKey(&c.Pods[i]))
		}
	}
	return out
}

// errorsOf gives the error of each line. Karpenter passes it to Info as a value, or to Error as such.
func errorsOf(lines map[string]line) map[string]error {
	return lo.MapValues(lines, func(l line, _ string) error {
		if err, ok := l.values["error"].(error); ok {
			return err
		}
		return l.err
	})
}

// messages splits a combined error.
func messages(err error) []string {
	return lo.Map(multierr.Errors(err), func(cause error, _ int) string { return cause.Error() })
}

func podErrors(results scheduling.Results, pools nodePools) map[string]PodError {
	out := map[string]PodError{}
	for p, err := range results.PodErrors {
		deferred := scheduling.IsReservedOfferingError(err)
		causes := messages(err)
		out[podKey(p)] = PodError{
			Error:     err.Error(),
			Causes:    causes,
			NodePools: pools.attribute(p, causes, deferred),
			Deferred:  deferred,
		}
	}
	return out
}

func (v *Verdict) refuseAll(c *Case, message string) {
	for i := range c.Pods {
		key := podKey(&c.Pods[i])
		if _, ignored := v.Ignored[key]; !ignored && !slices.Contains(v.NotProvisionable, key) {
			v.PodErrors[key] = PodError{Error: message, Causes: []string{message}, NodePools: []NodePoolError{}}
		}
	}
}

func launched(n *scheduling.NodeClaim) NewNodeClaim {
	capacityTypes, zones, offerings := map[string]bool{}, map[string]bool{}, []string{}
	for _, it := range n.InstanceTypeOptions {
		for _, o := range it.Offerings.Available().Compatible(n.Requirements) {
			capacityTypes[o.CapacityType()], zones[o.Zone()] = true, true
			key := it.Name + "/" + o.Zone() + "/" + o.CapacityType()
			if o.CapacityType() == karpv1.CapacityTypeReserved {
				key += "/" + o.ReservationID()
			}
			offerings = append(offerings, key)
		}
	}
	return NewNodeClaim{
		NodePool:      n.NodePoolName,
		Pods:          podKeys(n.Pods),
		InstanceTypes: sorted(lo.Map(n.InstanceTypeOptions, func(it *cloudprovider.InstanceType, _ int) string { return it.Name })),
		Requirements:  n.Requirements.String(),
		Requests:      n.Spec.Resources.Requests,
		CapacityTypes: sorted(lo.Keys(capacityTypes)),
		Zones:         sorted(lo.Keys(zones)),
		Offerings:     sorted(offerings),
	}
}

func occupied(nodes []*scheduling.ExistingNode) []ExistingNode {
	var out []ExistingNode
	for _, n := range nodes {
		if len(n.Pods) != 0 {
			out = append(out, ExistingNode{Name: n.Name(), Pods: podKeys(n.Pods)})
		}
	}
	return out
}

func podKeys(pods []*corev1.Pod) []string {
	return lo.Map(pods, func(p *corev1.Pod, _ int) string { return podKey(p) })
}

func sorted(values []string) []string {
	slices.Sort(values)
	return values
}
