package main

import (
	"fmt"
	"slices"
	"sync"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/karpenter/pkg/events"
)

// Event is what Karpenter told the API server about an object.
type Event struct {
	Object  string `json:"object"`
	Type    string `json:"type"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// line is one log line; its objects are the klog references among its values, for example Pod or NodePool.
type line struct {
	message string
	err     error
	values  map[string]any
}

// record keeps what Karpenter says while it decides: some refusals (a NodePool that is not ready, a pod that is
// ignored) show nowhere else.
type record struct {
	mu     sync.Mutex
	events []Event
	lines  []line
}

func (r *record) Publish(published ...events.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range published {
		r.events = append(r.events, Event{Object: nameOf(e.InvolvedObject), Type: e.Type, Reason: e.Reason, Message: e.Message})
	}
}

// nameOf is "Kind name" or "Kind namespace/name".
func nameOf(o runtime.Object) string {
	gvk, err := apiutil.GVKForObject(o, scheme.Scheme)
	named, ok := o.(client.Object)
	if err != nil || !ok {
		return fmt.Sprintf("%T", o)
	}
	return gvk.Kind + " " + klog.KObj(named).String()
}

// saidOf gives the lines with this message, by the object that they name under key ("Pod", "NodePool").
func (r *record) saidOf(key, message string) map[string]line {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := map[string]line{}
	for _, l := range r.lines {
		if ref, ok := l.values[key].(klog.ObjectRef); ok && l.message == message {
			found[ref.String()] = l
		}
	}
	return found
}

// said tells whether a line with this message was logged.
func (r *record) said(message string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.lines, func(l line) bool { return l.message == message })
}

// logSink is a logr backend that writes into a record.
type logSink struct {
	record *record
	values map[string]any
}

var _ logr.LogSink = logSink{}

func (s logSink) Init(logr.RuntimeInfo)        {}
func (s logSink) Enabled(int) bool             { return true }
func (s logSink) WithName(string) logr.LogSink { return s }
func (s logSink) Info(_ int, message string, keysAndValues ...any) {
	s.Error(nil, message, keysAndValues...)
}

func (s logSink) Error(err error, message string, keysAndValues ...any) {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	s.record.lines = append(s.record.lines, line{message: message, err: err, values: s.merged(keysAndValues)})
}

func (s logSink) WithValues(keysAndValues ...any) logr.LogSink {
	return logSink{record: s.record, values: s.merged(keysAndValues)}
}

func (s logSink) merged(keysAndValues []any) map[string]any {
	merged := make(map[string]any, len(s.values)+len(keysAndValues)/2)
	for key, value := range s.values {
		merged[key] = value
	}
	for i := 0; i+1 < len(keysAndValues); i += 2 {
		if key, ok := keysAndValues[i].(string); ok {
			merged[key] = keysAndValues[i+1]
		}
	}
	return merged
}

// podKey names a pod as Karpenter's logs do.
func podKey(p *corev1.Pod) string { return p.Namespace + "/" + p.Name }
