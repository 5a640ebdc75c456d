package verify

import (
	"fmt"
	"slices"
	"testing"
)

func TestShelf(t *testing.T) {
	var s shelf
	named := func(name string) ID { return ID{Kind: "APIKey", Namespace: "n", Name: name} }
	for _, id := range []ID{named("a"), {}, {Kind: "APIKey", Namespace: "na"}, {Kind: "APIKeyn", Name: "a"}} {
		if s.find(id) != nil {
			t.Errorf("an empty shelf has %v", id)
		}
	}
	first, next := &object{id: named("a")}, &object{id: named("a")}
	s.put(first)
	s.put(&object{id: named("b")})
	s.put(next)
	if s.find(named("a")) != next || len(slices.Collect(s.all())) != 3 {
		t.Error("the later one does not take the name, or the first has lost its place")
	}
	s.clear(first)
	s.clear(nil)
	if s.find(named("a")) != next || len(slices.Collect(s.all())) != 2 {
		t.Error("the first one is there yet, or the next is gone")
	}
	s.forget(named("a"))
	if s.find(named("a")) != nil || s.find(ID{Kind: "APIKey", Namespace: "na"}) != nil || s.find(named("b")) == nil {
		t.Error("the wrong one was forgotten")
	}
	s.clear(next)
	for i := range 1000 {
		o := &object{id: named(fmt.Sprint(i))}
		s.put(o)
		s.forget(o.id)
		s.clear(o)
	}
	if len(s.objects) > 3 || len(s.named) != 1 {
		t.Errorf("1,000 that came and went have left %d places and %d names", len(s.objects), len(s.named))
	}
}
