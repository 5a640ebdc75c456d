package spreadsheet

import (
	"slices"
	"testing"
)

func TestSafe_MarksFormulas(t *testing.T) {
	row := []string{"=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "＝1", "", "a=1", "1-1", "\xff"}
	want := []string{"'=1+1", "'+1", "'-1", "'@x", "'\t=1", "'\r=1", "'\n=1", "'＝1", "", "a=1", "1-1", "\xff"}
	if got := Safe(row); !slices.Equal(got, want) || row[0] != "=1+1" {
		t.Errorf("%q, of %q", got, row)
	}
}
