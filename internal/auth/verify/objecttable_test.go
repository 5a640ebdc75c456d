package verify

import (
	"fmt"
	"slices"
	"testing"
)

func TestObjectTable(t *testing.T) {
	var table objectTable
	named := func(name string) ID { return ID{Kind: "APIKey", Namespace: "n", Name: name} }
	for _, id := range []ID{named("a"), {}, {Kind: "APIKey", Namespace: "na"}, {Kind: "APIKeyn", Name: "a"}} {
		if table.find(id) != nil {
			t.Errorf("an empty table has %v", id)
		}
	}
	first, next := &object{id: named("a")}, &object{id: named("a")}
	table.put(first)
	table.put(&object{id: named("b")})
	table.put(next)
	if table.find(named("a")) != next || len(slices.Collect(table.all())) != 3 {
		t.Error("the later object does not have the name, or the first has lost its slot")
	}
	table.clear(first)
	table.clear(nil)
	if table.find(named("a")) != next || len(slices.Collect(table.all())) != 2 {
		t.Error("the first object still has a slot, or the next one has none")
	}
	table.removeName(named("a"))
	if table.find(named("a")) != nil || table.find(ID{Kind: "APIKey", Namespace: "na"}) != nil || table.find(named("b")) == nil {
		t.Error("the wrong name was removed")
	}
	table.clear(next)
	for i := range 1000 {
		o := &object{id: named(fmt.Sprint(i))}
		table.put(o)
		table.removeName(o.id)
		table.clear(o)
	}
	if len(table.objects) > 3 || len(table.named) != 1 {
		t.Errorf("1,000 objects that came and went left %d slots and %d names", len(table.objects), len(table.named))
	}
}
