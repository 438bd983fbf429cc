package main

import (
	"slices"
	"strings"

	"github.com/samber/lo"
	"go.uber.org/multierr"
	corev1 "k8s.io/api/core/v1"
	karpv1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/scheduling"
	nodepoolutils "sigs.k8s.io/karpenter/pkg/utils/nodepool"
)

const notReady = "ignoring nodepool, not ready"

// nodePools are a case's NodePools as the scheduler treated them, each list in the order that it tries them.
type nodePools struct {
	skipped []SkippedNodePool
	tried   []*karpv1.NodePool
	// preferNoSchedule is whether the scheduler ends by tolerating PreferNoSchedule taints, which it does if any
	// NodePool that reached it has one, tried or not.
	preferNoSchedule bool
}

// sortNodePools tells the NodePools that the scheduler dropped from those that it tried. Reasons that Karpenter logs are
// taken from its log; the three that it keeps to itself are named here (karpenter: provisioning/provisioner.go, NewScheduler).
func sortNodePools(c *Case, w *World) nodePools {
	logged := w.loggedReasons()
	ordered := lo.ToSlicePtr(slices.Clone(c.NodePools))
	nodepoolutils.OrderByWeight(ordered)
	sorted := nodePools{skipped: []SkippedNodePool{}}
	for _, np := range ordered {
		reason := logged[np.Name]
		switch {
		case !nodepoolutils.IsManaged(np, w.cloud):
			reason = "not managed by this cloud provider"
		case nodepoolutils.IsStatic(np):
			reason = "static"
		case reason == notReady:
		case !np.DeletionTimestamp.IsZero():
			reason = "being deleted"
		default:
			sorted.preferNoSchedule = sorted.preferNoSchedule || hasPreferNoSchedule(np)
		}
		if reason == "" {
			sorted.tried = append(sorted.tried, np)
			continue
		}
		sorted.skipped = append(sorted.skipped, SkippedNodePool{NodePool: np.Name, Reason: reason})
	}
	return sorted
}

func (w *World) loggedReasons() map[string]string {
	reasons := map[string]string{}
	for _, message := range []string{
		notReady,
		"skipping, unable to resolve instance types",
		"skipping, no resolved instance types found",
		"skipping, nodepool requirements filtered out all instance types",
	} {
		for nodePool, l := range w.record.saidOf("NodePool", message) {
			// A NodePool without instance types is reported twice; the first reason is the cause of the second.
			if _, ok := reasons[nodePool]; ok {
				continue
			}
			reasons[nodePool] = message
			if err, ok := l.values["minValuesIncompatibleErr"].(error); ok {
				reasons[nodePool] += ", " + err.Error()
			}
		}
	}
	return reasons
}

func hasPreferNoSchedule(np *karpv1.NodePool) bool {
	return lo.ContainsBy(np.Spec.Template.Spec.Taints, func(t corev1.Taint) bool {
		return t.Effect == corev1.TaintEffectPreferNoSchedule
	})
}

func (n nodePools) names() []string {
	return lo.Map(n.tried, func(np *karpv1.NodePool, _ int) string { return np.Name })
}

// attribute gives each NodePool its own part of a pod's error. Karpenter combines one error per NodePool, in order, but
// the combination is flat: a NodePool with two untolerated taints contributes two causes.
func (n nodePools) attribute(p *corev1.Pod, causes []string, deferred bool) []NodePoolError {
	tolerations := slices.Clone(p.Spec.Tolerations)
	if n.preferNoSchedule && !deferred {
		// karpenter: provisioning/scheduling/preferences.go, toleratePreferNoScheduleTaints: the last relaxation.
		tolerations = append(tolerations,
			corev1.Toleration{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectPreferNoSchedule})
	}
	out := []NodePoolError{}
	for _, np := range n.tried {
		if len(causes) == 0 {
			break
		}
		refused := multierr.Errors(scheduling.Taints(np.Spec.Template.Spec.Taints).Tolerates(tolerations))
		count := 1
		if strings.HasPrefix(causes[0], "did not tolerate taint") {
			count = min(max(1, len(refused)), len(causes))
		}
		out = append(out, NodePoolError{NodePool: np.Name, Error: strings.Join(causes[:count], "; "), Causes: causes[:count]})
		causes = causes[count:]
	}
	return out
}
