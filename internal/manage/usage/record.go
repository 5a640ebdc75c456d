package usage

import "time"

// Status of a call.
const (
	StatusOK    = "ok"
	StatusError = "error"
)

// Limits of records.
const (
	// MaxTokens bounds each count of a record: a thousand times the largest context of today.
	MaxTokens = 1_000_000_000
	// MaxTags is the number of tags of a record.
	MaxTags = 8
	// MaxText bounds each name of a record, in bytes.
	MaxText = 256
	// MaxBody bounds a request with records, in bytes as sent and as decompressed.
	MaxBody = 10 << 20
	// MaxBatch is the number of records of a request. One transaction stores them, while others wait: at the worst, with
	// names and days that all differ and a key of eight roles, for most of a second.
	MaxBatch = 1_000
	// MaxAhead is how far a record's time may be ahead of the server's clock.
	MaxAhead = 5 * time.Minute
)

// Tokens are the counts of one call or the sums of several. Input, Output, CacheRead and CacheWrite are disjoint:
// Input has no cached tokens.
type Tokens struct {
	Input, Output, CacheRead, CacheWrite int64
	// Reasoning is a part of Output.
	Reasoning int64
}

// Record is one AI call.
type Record struct {
	// ID is unique among the records of Reporter.Subject, and remembered as long as the record is stored. A record
	// whose ID is stored already is not stored again.
	ID string
	// At is when the call was made, ReceivedAt when the server received the record. Both have microseconds.
	At, ReceivedAt time.Time
	// Job groups calls. May be empty.
	Job                       string
	Provider, Model, CallType string
	Tokens
	// Cost is nil if it is unknown.
	Cost *Money
	// Price identifies the price that Cost was computed with. Empty: the reporter gave the cost, or it is unknown.
	Price string
	// DurationMS is nil if it is unknown.
	DurationMS                 *int64
	PromptChars, ResponseChars int64
	// ServiceTier is the provider's: batch, flex, priority, or empty for the default.
	ServiceTier string
	// Status is StatusOK or StatusError.
	Status string
	// Tags are sorted, without duplicates.
	Tags     []string
	Reporter Reporter
}

// Reporter is the key that reported a record, as it was then: reports keep its names when it is gone.
type Reporter struct {
	// KeyUID is the uid of the key's object, and Key its <namespace>/<name>. Both are empty for the bootstrap key and
	// for callers without a key.
	KeyUID, Key string
	// Subject is the owner: User/alice.
	Subject string
	// Namespace is that of the key's object.
	Namespace string
	// Roles are the AccessRoles that the key names. Their budgets count the record. They are not stored with it.
	Roles []string
}
