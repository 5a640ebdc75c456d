package database_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/manage/lastuse"
)

// addressUse returns a use at one instant after noon.
func addressUse(uid, address string, after time.Duration) lastuse.AddressUse {
	at := noon.Add(after)
	return lastuse.AddressUse{UID: uid, Day: at.Truncate(24 * time.Hour), Address: address, First: at, Last: at}
}

func expectAddressUses(t *testing.T, d *database.DB, uid string, want ...lastuse.AddressUse) {
	t.Helper()
	got, err := d.LastUses().AddressUses(t.Context(), uid)
	must(t, err)
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAddressUses_MergesAddressAndDay(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		store, ctx, day := d.LastUses(), t.Context(), 24*time.Hour
		expectAddressUses(t, d, "a")
		must(t, store.SaveAddressUses(ctx, nil))
		must(t, store.SaveAddressUses(ctx, []lastuse.AddressUse{
			addressUse("b", "192.0.2.1", 0), addressUse("a", "192.0.2.1", time.Minute), addressUse("a", "", time.Second),
			addressUse("a", "192.0.2.1", day), addressUse("%", "\x00\xff", 0),
		}))
		must(t, store.SaveAddressUses(ctx, []lastuse.AddressUse{addressUse("a", "192.0.2.1", time.Hour)}))
		must(t, store.SaveAddressUses(ctx, []lastuse.AddressUse{addressUse("a", "192.0.2.1", 0)}))
		must(t, store.SaveAddressUses(ctx, []lastuse.AddressUse{addressUse("a", "192.0.2.1", time.Minute)}))
		merged := addressUse("a", "192.0.2.1", 0)
		merged.Last = noon.Add(time.Hour)
		expectAddressUses(t, d, "a",
			addressUse("a", "192.0.2.1", day), merged, addressUse("a", "", time.Second))
		expectAddressUses(t, d, "b", addressUse("b", "192.0.2.1", 0))
		expectAddressUses(t, d, "%", addressUse("%", "��", 0))
	})
}

// Many addresses of one day are stored as others, in one call and over many.
func TestAddressUses_BoundsAddressesOfDay(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		const excess = 30
		var uses []lastuse.AddressUse
		for i := range lastuse.MaxAddresses + excess {
			uses = append(uses, addressUse("a", fmt.Sprintf("192.0.2.%03d", i), time.Duration(i)*time.Second))
		}
		must(t, d.LastUses().SaveAddressUses(t.Context(), append(uses, addressUse("b", "192.0.2.1", 0))))
		late := addressUse("a", "2001:db8::1", time.Hour)
		must(t, d.LastUses().SaveAddressUses(t.Context(), []lastuse.AddressUse{late, uses[0]}))
		others := uses[lastuse.MaxAddresses]
		others.Address, others.Others, others.Last = "", true, late.Last
		want := slices.Clone(uses[:lastuse.MaxAddresses])
		slices.Reverse(want)
		expectAddressUses(t, d, "a", append([]lastuse.AddressUse{others}, want...)...)
		expectAddressUses(t, d, "b", addressUse("b", "192.0.2.1", 0))
		// Another day has room again.
		must(t, d.LastUses().SaveAddressUses(t.Context(), []lastuse.AddressUse{addressUse("a", "2001:db8::1", 24*time.Hour)}))
		got, err := d.LastUses().AddressUses(t.Context(), "a")
		must(t, err)
		if got[0] != addressUse("a", "2001:db8::1", 24*time.Hour) {
			t.Errorf("%+v", got[0])
		}
	})
}
