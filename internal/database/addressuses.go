package database

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"keywright.dev/keywright/internal/manage/lastuse"
)

// otherAddresses stands in key_uses for all addresses beyond lastuse.MaxAddresses. No address is written so.
const otherAddresses = "*"

// SaveAddressUses keeps the bound of addresses within one transaction: replicas that write at the same instant may
// store a few more.
func (s useStore) SaveAddressUses(ctx context.Context, uses []lastuse.AddressUse) error {
	if err := s.checkRoom("save uses by address"); err != nil {
		return err
	}
	// In one order, so that two servers that save the same objects do not deadlock.
	sorted := slices.SortedFunc(slices.Values(uses), func(a, b lastuse.AddressUse) int {
		return cmp.Or(strings.Compare(a.UID, b.UID), a.Day.Compare(b.Day), strings.Compare(a.Address, b.Address))
	})
	return s.transact(ctx, "save uses by address", func(ctx context.Context, transaction *sql.Tx) error {
		return inBatches(sorted, func(batch []lastuse.AddressUse) error {
			bounded, err := boundAddresses(ctx, transaction, batch)
			if err != nil {
				return err
			}
			return saveAddressUses(ctx, transaction, bounded)
		})
	})
}

// keyDay is an object and a day.
type keyDay struct {
	uid string
	day int64
}

func dayOf(u *lastuse.AddressUse) keyDay { return keyDay{text(u.UID), u.Day.UnixMicro()} }

// boundAddresses applies the bound to uses, which are sorted.
func boundAddresses(
	ctx context.Context, transaction *sql.Tx, uses []lastuse.AddressUse,
) (bounded []lastuse.AddressUse, err error) {
	byDay := map[keyDay][]lastuse.AddressUse{}
	var days []keyDay
	for i := range uses {
		day := dayOf(&uses[i])
		if byDay[day] == nil {
			days = append(days, day)
		}
		byDay[day] = append(byDay[day], uses[i])
	}
	stored, err := storedAddresses(ctx, transaction, days)
	for _, day := range days {
		bounded = append(bounded, lastuse.BoundAddresses(stored[day], byDay[day])...)
	}
	return bounded, err
}

func storedAddresses(
	ctx context.Context, transaction *sql.Tx, days []keyDay,
) (map[keyDay][]string, error) {
	var conditions []string
	for i := range days {
		conditions = append(conditions, fmt.Sprintf("uid = $%d AND day = $%d", 2*i+2, 2*i+3))
	}
	values := append([]any{otherAddresses}, parameters(days, func(d keyDay) []any { return []any{d.uid, d.day} })...)
	//nolint:gosec // only parameter names are concatenated
	found, err := transaction.QueryContext(ctx, "SELECT uid, day, address FROM key_uses WHERE address <> $1 AND ("+
		strings.Join(conditions, " OR ")+")", values...)
	if err != nil {
		return nil, err
	}
	stored := map[keyDay][]string{}
	_, err = collect(found, func(from row) (nothing struct{}, err error) {
		var day keyDay
		var address string
		err = from.Scan(&day.uid, &day.day, &address)
		stored[day] = append(stored[day], address)
		return nothing, err
	})
	return stored, err
}

func saveAddressUses(ctx context.Context, transaction *sql.Tx, batch []lastuse.AddressUse) error {
	values := parameters(batch, func(u lastuse.AddressUse) []any {
		address := text(u.Address)
		if u.Others {
			address = otherAddresses
		}
		return []any{text(u.UID), u.Day.UnixMicro(), address, u.First.UnixMicro(), u.Last.UnixMicro()}
	})
	//nolint:gosec // only parameter names are concatenated
	statement := "INSERT INTO key_uses (uid, day, address, first_at, last_at) VALUES " + rows(len(batch), 5) +
		" ON CONFLICT (uid, day, address) DO UPDATE SET" +
		" first_at = CASE WHEN excluded.first_at < key_uses.first_at THEN excluded.first_at ELSE key_uses.first_at END," +
		" last_at = CASE WHEN excluded.last_at > key_uses.last_at THEN excluded.last_at ELSE key_uses.last_at END" +
		" WHERE excluded.first_at < key_uses.first_at OR excluded.last_at > key_uses.last_at"
	_, err := transaction.ExecContext(ctx, statement, values...)
	return err
}

func (s useStore) AddressUses(ctx context.Context, uid string) ([]lastuse.AddressUse, error) {
	return query(ctx, s.DB, "find uses by address", readAddressUse,
		"SELECT uid, day, address, first_at, last_at FROM key_uses WHERE uid = $1 ORDER BY day DESC, last_at DESC, address",
		text(uid))
}

func readAddressUse(from row) (u lastuse.AddressUse, err error) {
	var day, first, last int64
	err = from.Scan(&u.UID, &day, &u.Address, &first, &last)
	u.Day, u.First, u.Last = instant(day), instant(first), instant(last)
	if u.Address == otherAddresses {
		u.Address, u.Others = "", true
	}
	return u, err
}
