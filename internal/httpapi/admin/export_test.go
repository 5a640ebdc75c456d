package admin

// DecodeRecords is decodeRecords, for tests.
var DecodeRecords = decodeRecords
