package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-logr/logr"
	"github.com/samber/lo"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	karpv1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/controllers/dynamicresources/deviceallocation"
	"sigs.k8s.io/karpenter/pkg/controllers/provisioning"
	"sigs.k8s.io/karpenter/pkg/controllers/state"
	"sigs.k8s.io/karpenter/pkg/controllers/state/informer"
	"sigs.k8s.io/karpenter/pkg/operator/options"
	"sigs.k8s.io/karpenter/pkg/state/virtualpods"
	nodeclaimutils "sigs.k8s.io/karpenter/pkg/utils/nodeclaim"
)

func init() {
	// karpenter-provider-aws: pkg/operator/operator.go, init. The rest of AWS's labels comes with its apis/v1 (cloud.go).
	karpv1.NormalizedLabels = lo.Assign(karpv1.NormalizedLabels, map[string]string{
		"topology.ebs.csi.aws.com/zone": corev1.LabelTopologyZone,
	})
}

// World is a case as a running Karpenter holds it: an API server, the state of the cluster, a provisioner over both.
type World struct {
	ctx         context.Context
	client      client.Client
	cloud       *cloud
	cluster     *state.Cluster
	provisioner *provisioning.Provisioner
	options     *options.Options
	record      *record
}

func newWorld(c *Case) (*World, error) {
	o, err := c.controllerOptions()
	if err != nil {
		return nil, err
	}
	w := &World{cloud: newCloud(c), options: o, record: &record{}}
	w.ctx = log.IntoContext(options.ToContext(context.Background(), o), logr.New(logSink{record: w.record}))
	if w.client, err = newClient(c); err != nil {
		return nil, err
	}
	clk := clocktesting.NewFakeClock(c.Now.Time)
	w.cluster = state.NewCluster(clk, w.client, w.cloud)
	w.provisioner = provisioning.NewProvisioner(w.client, w.record, w.cloud, w.cluster, clk,
		deviceallocation.NewController(w.client), virtualpods.NewVirtualPodCache(w.client))
	return w, w.inform(c)
}

// inform fills the cluster state as Karpenter's informers do: NodeClaims first, then nodes (which count the pods bound
// to them), then pods and DaemonSets.
func (w *World) inform(c *Case) error {
	for i := range c.NodeClaims {
		if nodeclaimutils.IsManaged(&c.NodeClaims[i], w.cloud) {
			w.cluster.UpdateNodeClaim(c.NodeClaims[i].DeepCopy())
		}
	}
	nodes := informer.NewNodeController(w.client, w.cluster)
	pods := informer.NewPodController(w.client, w.cluster)
	daemonSets := informer.NewDaemonSetController(w.client, w.cluster)
	for _, step := range []struct {
		informer reconcile.Reconciler
		objects  []client.Object
	}{
		{nodes, objects(c.Nodes)},
		{pods, objects(c.BoundPods)},
		{pods, objects(c.Pods)},
		{daemonSets, objects(c.DaemonSets)},
	} {
		for _, o := range step.objects {
			key := client.ObjectKeyFromObject(o)
			if _, err := step.informer.Reconcile(w.ctx, reconcile.Request{NamespacedName: key}); err != nil {
				return fmt.Errorf("informing cluster state of %T %s, %w", o, key, err)
			}
		}
	}
	return nil
}

// newClient puts the case's objects into a fake API server with the one index that the provisioner lists by.
func newClient(c *Case) (client.Client, error) {
	for i := range c.BoundPods {
		if c.BoundPods[i].Spec.NodeName == "" {
			return nil, fmt.Errorf("boundPods[%d] has no spec.nodeName", i)
		}
	}
	all := slices.Concat(objects(c.Pods), objects(c.BoundPods), objects(c.NodePools), objects(c.NodeClaims),
		objects(c.Nodes), objects(c.DaemonSets), objects(c.Namespaces), objects(c.PersistentVolumeClaims),
		objects(c.PersistentVolumes), objects(c.StorageClasses), objects(c.CSINodes))
	seen := map[string]bool{}
	for _, o := range all {
		name := nameOf(o)
		if seen[name] {
			return nil, fmt.Errorf("loading objects, %s is there twice", name)
		}
		seen[name] = true
	}
	return fake.NewClientBuilder().WithScheme(scheme.Scheme).
		WithObjects(all...).
		WithIndex(&corev1.Pod{}, "spec.nodeName", func(o client.Object) []string {
			return []string{o.(*corev1.Pod).Spec.NodeName}
		}).
		WithInterceptorFuncs(interceptor.Funcs{Get: getAsFromCache}).
		Build(), nil
}

// getAsFromCache reads as Karpenter's cached client does, where that shows in a message or a result: what is not found
// is called by its kind, not its resource, and a cluster-scoped object has no namespace whatever the caller says
// (controller-runtime: pkg/cache/internal/cache_reader.go, Get).
func getAsFromCache(ctx context.Context, cl client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	switch o.(type) {
	case *corev1.Node, *corev1.PersistentVolume, *storagev1.StorageClass, *storagev1.CSINode, *karpv1.NodePool, *karpv1.NodeClaim:
		key.Namespace = ""
	}
	err := cl.Get(ctx, key, o, opts...)
	if !apierrors.IsNotFound(err) {
		return err
	}
	gvk, unknown := apiutil.GVKForObject(o, scheme.Scheme)
	if unknown != nil {
		return err
	}
	return apierrors.NewNotFound(schema.GroupResource{Group: gvk.Group, Resource: gvk.Kind}, key.Name)
}

// objects gives pointers to the items, with what the API server adds on creation: a UID (the scheduler's key of a pod),
// and a finalizer on what is being deleted.
func objects[T any, P interface {
	*T
	client.Object
}](items []T) []client.Object {
	out := make([]client.Object, 0, len(items))
	for i := range items {
		o := P(&items[i])
		if o.GetUID() == "" {
			o.SetUID(types.UID(o.GetNamespace() + "/" + o.GetName()))
		}
		if o.GetDeletionTimestamp() != nil && len(o.GetFinalizers()) == 0 {
			o.SetFinalizers([]string{"oracle/held"})
		}
		out = append(out, o)
	}
	return out
}
