package keyholder

import (
	"hash/crc32"
	"strconv"
)

// buckets is how many values an index tells apart.
const buckets = 4096

var bucketNames = func() (names [buckets]string) {
	for i := range names {
		names[i] = strconv.FormatInt(int64(i), 36)
	}
	return names
}()

// Bucket is one of a few thousand names for a value that hardly any two objects share. A cache's index keeps a set of
// objects for every value it knows, a quarter of a kilobyte for a set of one; so it is given buckets, and whoever looks
// something up by one has to pick out of a handful what is meant.
func Bucket(value string) string {
	return bucketNames[crc32.ChecksumIEEE([]byte(value))%buckets]
}
