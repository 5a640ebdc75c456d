package graphql

// The bounds of one query. The body as a whole is bounded by jsonbody.MaxBytes.
const (
	// maxQuery bounds the text of a query, in bytes. The introspection query of common tools has 2 KiB; long values can
	// be variables.
	maxQuery = 16 << 10
	// maxDepth bounds fields in fields. The introspection query of common tools has 15.
	maxDepth = 15
	// maxSelections bounds the fields of an operation with its fragments expanded.
	maxSelections = 500
	// maxPairs bounds the comparisons of fields with the same name.
	maxPairs = 10_000
	// maxRoots bounds the requests to the API server that one query causes.
	maxRoots = 10
	// maxFields bounds the fields of a reply.
	maxFields = 25_000
)
