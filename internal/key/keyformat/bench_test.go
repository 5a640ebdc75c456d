package keyformat_test

import "testing"

func BenchmarkCheck(b *testing.B) {
	k := generate(b)
	for b.Loop() {
		if err := format.Check(k); err != nil {
			b.Fatal(err)
		}
	}
}
