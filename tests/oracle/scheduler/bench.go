package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/karpenter/pkg/controllers/provisioning/scheduling"
	"sigs.k8s.io/karpenter/pkg/operator/options"
)

// Timing is how long Karpenter took for a case, over several runs in one process.
type Timing struct {
	ID      string `json:"id"`
	Failure string `json:"failure,omitempty"`
	Runs    int    `json:"runs"`
	// NewSchedulerNs is building a scheduler: reading NodePools, daemonset overhead, existing nodes, topology.
	NewSchedulerNs Spread `json:"newSchedulerNs"`
	// SolveNs is the decision itself.
	SolveNs Spread `json:"solveNs"`
}

type Spread struct {
	Min    int64 `json:"min"`
	Median int64 `json:"median"`
	Max    int64 `json:"max"`
}

// measure times the two halves of Provisioner.Schedule, with the options that it passes, and nothing logged.
func measure(c *Case, runs int) (t *Timing) {
	defer func() {
		if r := recover(); r != nil {
			t = &Timing{ID: c.ID, Failure: fmt.Sprintf("panic: %v", r)}
		}
	}()
	w, err := newWorld(c)
	if err != nil {
		return &Timing{ID: c.ID, Failure: err.Error()}
	}
	ctx := log.IntoContext(w.ctx, logr.Discard())
	pods, err := w.provisioner.GetPendingPods(ctx)
	if err != nil {
		return &Timing{ID: c.ID, Failure: err.Error()}
	}
	opts := []scheduling.Options{
		scheduling.DisableReservedCapacityFallback,
		scheduling.NumConcurrentReconciles(int((w.options.CPURequests + 999) / 1000)),
		scheduling.MinValuesPolicy(w.options.MinValuesPolicy),
	}
	if w.options.PreferencePolicy == options.PreferencePolicyIgnore {
		opts = append(opts, scheduling.IgnorePreferences)
	}
	built, solved := make([]int64, 0, runs), make([]int64, 0, runs)
	for range runs {
		start := time.Now()
		s, err := w.provisioner.NewScheduler(ctx, pods, w.cluster.DeepCopyNodes().Active(), sets.New[types.UID](), opts...)
		if err != nil {
			return &Timing{ID: c.ID, Failure: err.Error()}
		}
		ready := time.Now()
		if _, err := s.Solve(ctx, pods); err != nil {
			return &Timing{ID: c.ID, Failure: err.Error()}
		}
		built, solved = append(built, ready.Sub(start).Nanoseconds()), append(solved, time.Since(ready).Nanoseconds())
	}
	return &Timing{ID: c.ID, Runs: runs, NewSchedulerNs: spread(built), SolveNs: spread(solved)}
}

func spread(ns []int64) Spread {
	slices.Sort(ns)
	return Spread{Min: ns[0], Median: ns[len(ns)/2], Max: ns[len(ns)-1]}
}
