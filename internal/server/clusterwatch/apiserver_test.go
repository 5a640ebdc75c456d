package clusterwatch

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"keywright.dev/keywright/api/v1alpha1"
)

const namespace = "keywright-system"

// apiServer implements what a reflector needs: lists, watches, and watches that begin with a list. A watch gets a
// bookmark as soon as something else has changed.
type apiServer struct {
	*httptest.Server
	// missing is a resource that the server does not serve. It may be empty.
	missing string
	// old servers do not support watches that begin with a list.
	old bool

	mu      sync.Mutex
	version int
	objects map[string]metav1.Object // by resource and name
	changed chan struct{}            // closed at each change
	log     []change
	down    bool
	// frozen has what does not answer, by resource. begun counts the watches of each, and those up to number frozenUntil
	// are silent.
	frozen      map[string]frozen
	begun       map[string]int
	frozenUntil int
}

// frozen is what does not answer.
type frozen struct {
	// lists do not answer.
	lists bool
	// opens: watches do not begin.
	opens bool
	// watches: the one that has begun, or the next one if none has, is silent, and so is the one after it.
	watches bool
}

type change struct {
	version int
	kind    watch.EventType
	object  metav1.Object
}

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	s := &apiServer{objects: map[string]metav1.Object{}, changed: make(chan struct{}), begun: map[string]int{}, version: 1}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /apis/keywright.dev/v1alpha1/namespaces/"+namespace+"/adminusers", s.serve("adminusers"))
	mux.HandleFunc("GET /apis/keywright.dev/v1alpha1/apikeys", s.serve("apikeys"))
	mux.HandleFunc("GET /apis/keywright.dev/v1alpha1/accessroles", s.serve("accessroles"))
	mux.HandleFunc("GET /apis/keywright.dev/v1alpha1/accessrolebindings", s.serve("accessrolebindings"))
	for _, team := range []string{"team-a", "team-b"} {
		mux.HandleFunc("GET /apis/keywright.dev/v1alpha1/namespaces/"+team+"/apikeys", s.serve("apikeys of "+team))
	}
	mux.HandleFunc("GET /api/v1/namespaces/"+namespace+"/configmaps", func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("fieldSelector"); got != "metadata.name=keywright-runtime" {
			// The server's role allows no other.
			t.Errorf("ConfigMaps are watched by %q", got)
		}
		s.serve("configmaps")(w, r)
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(func() { s.setDown(true); s.Close() })
	return s
}

func (s *apiServer) config() *rest.Config { return &rest.Config{Host: s.URL} }

func resourceOf(object metav1.Object) string {
	switch object.(type) {
	case *v1alpha1.AdminUser:
		return "adminusers"
	case *v1alpha1.APIKey:
		return "apikeys"
	case *v1alpha1.AccessRole:
		return "accessroles"
	case *v1alpha1.AccessRoleBinding:
		return "accessrolebindings"
	}
	return "configmaps"
}

// concerns reports whether a list or watch of a resource, possibly in one namespace, includes an object.
func concerns(resource string, object metav1.Object) bool {
	resource, of, limited := strings.Cut(resource, " of ")
	return resourceOf(object) == resource && (!limited || object.GetNamespace() == of)
}

func kindOf(resource string) (apiVersion, kind string) {
	resource, _, _ = strings.Cut(resource, " of ")
	kind = map[string]string{
		"adminusers": "AdminUser", "apikeys": "APIKey", "accessroles": "AccessRole",
		"accessrolebindings": "AccessRoleBinding", "configmaps": "ConfigMap",
	}[resource]
	if resource == "configmaps" {
		return "v1", kind
	}
	return "keywright.dev/v1alpha1", kind
}

func (s *apiServer) put(object metav1.Object) { s.change(object, watch.Modified) }

func (s *apiServer) delete(object metav1.Object) { s.change(object, watch.Deleted) }

func (s *apiServer) change(object metav1.Object, kind watch.EventType) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	object.SetResourceVersion(fmt.Sprint(s.version))
	resource := resourceOf(object)
	key := resource + "/" + object.GetNamespace() + "/" + object.GetName()
	if _, there := s.objects[key]; !there && kind == watch.Modified {
		kind = watch.Added
	}
	s.objects[key] = object
	if kind == watch.Deleted {
		delete(s.objects, key)
	}
	s.log = append(s.log, change{s.version, kind, object})
	s.wake()
}

func (s *apiServer) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// freeze replaces what does not answer.
func (s *apiServer) freeze(resource string, what frozen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen, s.frozenUntil = map[string]frozen{resource: what}, s.begun[resource]+1
	s.wake()
}

// restore replaces everything by older objects.
func (s *apiServer) restore(version int, objects ...metav1.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version, s.log = version, nil
	clear(s.objects)
	for _, object := range objects {
		object.SetResourceVersion(fmt.Sprint(version))
		s.objects[resourceOf(object)+"/"+object.GetNamespace()+"/"+object.GetName()] = object
	}
	s.wake()
}

// awaitThaw returns while nothing that holds is frozen, or when the client has left.
func (s *apiServer) awaitThaw(r *http.Request, resource string, holds func(frozen) bool) {
	for {
		s.mu.Lock()
		held, changed := holds(s.frozen[resource]) && !s.down, s.changed
		s.mu.Unlock()
		if !held {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// setDown(true) cuts every connection and refuses new ones.
func (s *apiServer) setDown(down bool) {
	s.mu.Lock()
	s.down = down
	s.wake()
	s.mu.Unlock()
	if down {
		s.CloseClientConnections()
	}
}

func (s *apiServer) serve(resource string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		s.mu.Lock()
		down := s.down
		s.mu.Unlock()
		switch watching, initial := query.Get("watch") != "", query.Get("sendInitialEvents") == "true"; {
		case down:
			panic(http.ErrAbortHandler)
		case resource == s.missing:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`))
		case watching && initial && s.old:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422}`))
		case watching:
			s.awaitThaw(r, resource, func(f frozen) bool { return f.opens })
			s.watch(w, r, resource, initial)
		default:
			s.awaitThaw(r, resource, func(f frozen) bool { return f.lists })
			s.list(w, resource)
		}
	}
}

func (s *apiServer) all(resource string) (objects []metav1.Object, version int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, object := range s.objects {
		if concerns(resource, object) {
			objects = append(objects, object)
		}
	}
	return objects, s.version
}

func (s *apiServer) list(w http.ResponseWriter, resource string) {
	objects, version := s.all(resource)
	list := map[string]any{"metadata": map[string]any{"resourceVersion": fmt.Sprint(version)}, "items": objects}
	apiVersion, kind := kindOf(resource)
	list["apiVersion"], list["kind"] = apiVersion, kind+"List"
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(list)
}

func (s *apiServer) watch(w http.ResponseWriter, r *http.Request, resource string, initial bool) {
	w.Header().Set("Content-Type", "application/json")
	send := func(kind watch.EventType, object any) {
		_ = json.NewEncoder(w).Encode(map[string]any{"type": kind, "object": object})
		_ = http.NewResponseController(w).Flush()
	}
	seen := 0
	_, _ = fmt.Sscan(r.URL.Query().Get("resourceVersion"), &seen)
	if initial {
		var objects []metav1.Object
		objects, seen = s.all(resource)
		for _, object := range objects {
			send(watch.Added, object)
		}
		send(watch.Bookmark, bookmark(resource, seen))
	}
	_ = http.NewResponseController(w).Flush()
	s.mu.Lock()
	s.begun[resource]++
	number := s.begun[resource]
	s.mu.Unlock()
	for {
		s.mu.Lock()
		down, changed, since, version := s.down, s.changed, s.log, s.version
		silent := s.frozen[resource].watches && number <= s.frozenUntil
		s.mu.Unlock()
		if down {
			return
		}
		for _, c := range since {
			if !silent && c.version > seen && concerns(resource, c.object) {
				send(c.kind, c.object)
				seen = c.version
			}
		}
		if !silent && version > seen {
			seen = version
			progress := bookmark(resource, seen)
			progress.SetAnnotations(nil)
			send(watch.Bookmark, progress)
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// bookmark returns the end of the initial list of a watch.
func bookmark(resource string, version int) metav1.Object {
	meta := metav1.ObjectMeta{
		ResourceVersion: fmt.Sprint(version),
		Annotations:     map[string]string{metav1.InitialEventsAnnotationKey: "true"},
	}
	apiVersion, kind := kindOf(resource)
	return &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: kind}, ObjectMeta: meta}
}
