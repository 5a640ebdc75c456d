package serverlease

import (
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestRead_LeavesOutRestoredLeases(t *testing.T) {
	created := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		renewed time.Duration
		want    int
	}{
		"renewed since":                   {time.Hour, 1},
		"never renewed since":             {0, 1},
		"by a clock that is minutes late": {-5 * time.Minute, 1},
		"from a backup":                   {-6 * time.Minute, 0},
	} {
		l := coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
			Name: "keywright-server-a", CreationTimestamp: metav1.NewTime(created),
		}}
		l.Spec.HolderIdentity, l.Spec.LeaseDurationSeconds = new("a"), new(int32(45))
		l.Spec.RenewTime = new(metav1.NewMicroTime(created.Add(c.renewed)))
		if got := Read([]coordinationv1.Lease{l}); len(got) != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
